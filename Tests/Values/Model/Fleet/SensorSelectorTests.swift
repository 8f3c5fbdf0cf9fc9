import Model
import Testing

@Suite struct SensorSelectorTests {
    private typealias Condition = SensorSelector.Condition

    @Test func readsEveryFormOfCondition() throws {
        let selector = try SensorSelector("kind=vibration, hall = 3,state!=asleep,line,!line.spare,firmware==1.2")
        #expect(
            selector.conditions == [
                Condition(.column(.kind), .equals("vibration")), Condition(.tag(["hall"]), .equals("3")),
                Condition(.column(.state), .differs("asleep")), Condition(.tag(["line"]), .exists),
                Condition(.tag(["line", "spare"]), .isAbsent), Condition(.column(.firmware), .equals("1.2")),
            ])
    }

    @Test(arguments: SensorSelector.Column.allCases)
    func theSensorsOwnNamesAreNoTags(_ column: SensorSelector.Column) throws {
        #expect(try SensorSelector(column.rawValue).conditions == [Condition(.column(column), .exists)])
        #expect(SensorSelector.tagPath(column.rawValue) == nil)
    }

    /// A value may hold anything but a comma; only the first sign of equality separates.
    @Test(arguments: ["a=b=c", "a=hall 3, left"])
    func valuesKeepTheirSigns(_ text: String) throws {
        let first = try #require(try? SensorSelector(text).conditions.first)
        #expect(first == Condition(.tag(["a"]), .equals(text == "a=b=c" ? "b=c" : "hall 3")))
    }

    @Test func serialsMayHaveGlobs() throws {
        for text in ["press-*", "*", "**", "*_7", "press-?"] {
            #expect(
                try SensorSelector("serial=\(text)").conditions == [Condition(.column(.serial), .equals(text))])
        }
    }

    @Test(
        arguments: [
            ("", "empty"), ("kind=vibration,", "empty"), (",", "empty"), ("hall=", "no value"),
            ("hall!=", "no value"), ("hall in (3", "'hall in (3' is not"), ("=3", "'=3' is not"), ("!", "'!' is not"),
            ("!=3", "'!=3' is not"), ("a..b", "'a..b' is not"), (".a", "is not"), ("hall>3", "is not"),
            ("!hall=3", "'!hall=3' is not"), ("a-", "is not"), ("-a=1", "is not"),
            ("state=sleeping", "one of unknown, awake, asleep, stopped"),
            ("presence!=gone", "one of unknown, online, lost, offline"), ("serial=a.b", "serial number"),
            ("serial=" + String(repeating: "x", count: 65), "serial number"),
            (String(repeating: "a,", count: 32) + "a", "33 conditions"),
        ])
    func whatIsNoSelectorIsRefusedInOneLine(_ text: String, _ part: String) throws {
        let error = try #require(throws: SensorSelector.Invalid.self) { try SensorSelector(text) }
        #expect(error.description.contains(part), "\(error)")
        #expect(!error.description.contains("\n"))
    }

    @Test func everySensorIsMeantByNoCondition() {
        #expect(SensorSelector.all.conditions.isEmpty)
    }

    @Test(arguments: [("hall", ["hall"]), ("a.b_c.d-e", ["a", "b_c", "d-e"]), ("größe/2", ["größe/2"])])
    func namesOfTags(_ name: String, _ path: [String]) {
        #expect(SensorSelector.tagPath(name) == path)
    }
}
