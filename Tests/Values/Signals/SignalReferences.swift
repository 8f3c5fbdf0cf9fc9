/// Made by dev/signal_references.py with numpy and scipy.
enum SignalReferences {
    /// Of the band 10 Hz to 1000 Hz, windows of 4 s.
    static let levels = [
        0.2507144894774845, 0.25159523945826906, 0.25197404046911787, 0.25330525782898666, 0.25262823320245065,
        0.2490528459478149, 0.25523871658785974, 0.2537536697703236, 0.2522773111980547, 0.2547352559487087,
        0.2529638746999286, 0.25374841010792776,
    ]
    /// Of the band 40 Hz to 60 Hz, windows of 8 s.
    static let narrowLevels = [
        0.03599481965856781, 0.03811500383865148, 0.038275033013388145, 0.03961415442694175, 0.03634946602360866,
        0.03674234884164188,
    ]
    /// The integral of all samples in the band 10 Hz to 1000 Hz, times 1000.
    static let velocity = 0.41334789497105134
    /// Of 1,000,000 + the cubes of the first 5000.
    static let kurtosis = 3.795759288398596
    /// Of the same.
    static let crestFactor = 2.66406611709696
}
