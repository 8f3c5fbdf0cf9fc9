internal import Time

extension Duration {
    /// Seconds, truncated to milliseconds.
    var secondsToMillisecond: Double { Double(milliseconds) / 1000 }
}
