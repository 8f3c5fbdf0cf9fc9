import Model
import Postgres
import Store
import Testing

@Suite struct ModelParametersTests {
    @Test func aSensorIsItsNumber() {
        let (sensor, none): (SensorID, SensorID?) = (.init(rawValue: .max), nil)
        let sql: SQL = "\(sensor) \(none) \([sensor, 1])"
        #expect(sql.parameters == [.integer(2_147_483_647), .null, .integers([2_147_483_647, 1])])
    }

    @Test func channelsAreInOrderOfSensorAndNumber() {
        let ordered = [(1, 0), (1, 2), (2, 0), (2, 1), (10, 0)].map { ChannelID(sensor: $0.0, number: $0.1) }
        #expect(ordered.reversed().sorted() == ordered)
    }
}
