import Foundation
import Testing

@testable import iotctl

/// Numbers as people read them.
@Suite struct NumberTextTests {
    @Test(arguments: [
        (3.97123, "3.971"), (1013.25, "1013"), (101_325, "101325"), (0.000123456, "0.0001235"), (1.5e-7, "1.5e-07"),
        (-2.5, "-2.5"), (999_999.6, "1000000"), (9.9996, "10"), (0, "0"), (.nan, "NaN"), (-.infinity, "-inf"),
        (1e9, "1e+09"),
    ])
    func fourDigitsAreEnough(_ number: Double, _ text: String) { #expect(number.compact == text) }

    /// The texts are those of printf, also where they are made without it.
    @Test(arguments: 3...6)
    func theyAreThoseOfPrintf(_ digits: Int) {
        var generator = SystemRandomNumberGenerator()
        let edges = [
            0, 1, -1, 10, 100, 0.1, 0.25, 0.125, 0.5, 2.5, 9.995, 99.95, 1e-4, 9.9999e-5, 123456, 999_999.5, 1e6, 1e300,
        ]
        let random = (0..<2000).map { _ in
            Double.random(in: -1...1, using: &generator) * pow(10, Double(Int.random(in: -6...8, using: &generator)))
        }
        // Numbers of few digits are near ties more often.
        let short = (0..<2000).map { _ in Double(Int.random(in: -99_999_999...99_999_999, using: &generator)) / 10_000 }
        for number in edges + random + short {
            #expect(number.significant(digits) == String(format: "%.\(digits)g", number), "\(number)")
        }
    }
}
