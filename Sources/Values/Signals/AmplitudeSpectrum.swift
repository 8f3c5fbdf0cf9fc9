/// How strong which frequencies are in a run of samples: amplitudes as a Hann window gives them.
public struct AmplitudeSpectrum: Sendable, Equatable {
    /// A frequency that stands out.
    public struct Peak: Sendable, Equatable {
        /// Between the lines, where they say so.
        public var hertz: Double
        /// Of a sine there.
        public var amplitude: Double
    }

    /// From one line to the next, in Hz.
    public var resolution: Double
    /// Of line k, at k × `resolution`; that of line 0 is the size of the mean.
    public var amplitudes: [Double]

    /// These amplitudes.
    public init(resolution: Double, amplitudes: [Double]) {
        self.resolution = resolution
        self.amplitudes = amplitudes
    }

    /// The highest frequency, half of the sample rate.
    public var highestHertz: Double { resolution * Double(max(0, amplitudes.count - 1)) }

    /// The strongest peaks, the strongest first. A sine fills four lines, so nothing within two lines of a stronger one is
    /// a peak of its own.
    public func peaks(_ count: Int) -> [Peak] {
        let last = amplitudes.count - 1
        guard last >= 1 else { return [] }
        let tops = (1...last).filter { line in
            let around = (max(1, line - 2)...min(last, line + 2)).filter { $0 != line }
            return amplitudes[line] > 0
                && around.allSatisfy {
                    amplitudes[$0] < amplitudes[line] || amplitudes[$0] == amplitudes[line] && $0 > line
                }
        }
        // By the amplitude of the sine: its line may be lower than that of a weaker one that lies right on its line.
        let found = tops.map(peak).sorted { ($0.amplitude, $1.hertz) > ($1.amplitude, $0.hertz) }
        return Array(found.prefix(count))
    }

    /// The sine whose lines these are, by the greater neighbour: of a Hann window neighbour / line = (1 + d) / (2 - d), where
    /// the sine lies d lines beside the line, and the line is lower than the sine by sin(πd) / (πd (1 - d²)).
    private func peak(at line: Int) -> Peak {
        let plain = Peak(hertz: Double(line) * resolution, amplitude: amplitudes[line])
        guard line > 1, line + 1 < amplitudes.count - 1 else { return plain }
        let (below, above) = (amplitudes[line - 1], amplitudes[line + 1])
        let ratio = max(below, above) / amplitudes[line]
        let distance = (2 * ratio - 1) / (1 + ratio)
        guard distance > 1e-6, distance <= 0.5 else { return plain }
        let angle = Double.pi * distance
        let side = above > below ? distance : -distance
        return Peak(
            hertz: (Double(line) + side) * resolution,
            amplitude: amplitudes[line] * angle * (1 - distance * distance) / angle.sineAndCosine.sine)
    }
}
