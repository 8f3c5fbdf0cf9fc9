import Foundation
import Testing

@testable import Signals

@Suite struct ElementaryTests {
    @Test func thoseOfTheLibrary() {
        for step in -200...200 {
            let angle = Double(step) / 200 * .pi
            #expect(abs(angle.sineAndCosine.sine - sin(angle)) < 1e-15)
            #expect(abs(angle.sineAndCosine.cosine - cos(angle)) < 2e-15)
            let power = Double(step) * 3.3
            #expect(abs(power.exponential / exp(power) - 1) < 1e-13)
            #expect(abs(exp(power).naturalLogarithm - power) <= 1e-14 * max(1, abs(power)))
        }
        #expect(1.0.naturalLogarithm == 0 && 0.0.exponential == 1)
    }
}
