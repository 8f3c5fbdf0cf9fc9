public import Signals
public import Time

/// The amplitude spectrum of a channel's samples (docs/iotctl-json.md, "spectrum").
public struct SpectrumView: Codable, Sendable, Equatable {
    /// A peak of the spectrum.
    public struct Peak: Codable, Sendable, Equatable {
        /// The frequency in Hz, interpolated between the spectral lines where their amplitudes allow it.
        public var frequencyHz: Double
        /// The amplitude of a sine at this frequency; nil if it is not finite.
        public var amplitude: Double?

        private enum CodingKeys: String, CodingKey {
            case frequencyHz = "frequency_hz"
            case amplitude
        }
    }

    /// The sensor's serial number.
    public var sensor: String
    /// The channel's name.
    public var channel: String
    /// The unit of the amplitudes; may be empty.
    public var unit: String
    /// The time before which the samples end; nil for the newest samples.
    public var before: Timestamp?
    /// Number of samples.
    public var samples: Int
    /// Distance of the spectral lines in Hz.
    public var resolutionHz: Double
    /// The peaks, strongest first.
    public var peaks: [Peak]
    /// The amplitude of line k, at k times the resolution; that of line 0 is the magnitude of the mean. Nil if it is
    /// not finite.
    public var amplitudes: [Double?]

    private enum CodingKeys: String, CodingKey {
        case sensor, channel, unit, before, samples
        case resolutionHz = "resolution_hz"
        case peaks, amplitudes
    }
}

extension SpectrumView {
    /// The view of a spectrum.
    /// - Parameters:
    ///   - peaks: most peaks in the view.
    ///   - samples: number of samples of the spectrum.
    ///   - before: the time before which the samples end; nil for the newest samples.
    public init(
        _ spectrum: AmplitudeSpectrum, peaks: Int, sensor: String, channel: String, unit: String, before: Timestamp?,
        samples: Int
    ) {
        self.init(
            sensor: sensor, channel: channel, unit: unit, before: before, samples: samples,
            resolutionHz: spectrum.resolution,
            peaks: spectrum.peaks(peaks).map { Peak(frequencyHz: $0.hertz, amplitude: $0.amplitude) },
            amplitudes: spectrum.amplitudes)
    }
}
