public import ArgumentParser

/// The exit codes of all programs.
public enum ExitStatus {
    /// Something went wrong.
    public static let failed = ExitCode(1)
    /// No such sensor, command …
    public static let notFound = ExitCode(2)
    /// No answer in time.
    public static let timedOut = ExitCode(3)
    /// The sensor said no.
    public static let rejected = ExitCode(4)
    /// The command was too old when it arrived.
    public static let expired = ExitCode(5)
    /// The command line is wrong (EX_USAGE).
    public static let usage = ExitCode(64)
    /// Broker or database can't be reached (EX_UNAVAILABLE).
    public static let unavailable = ExitCode(69)
    /// Broker or database refuse the login, or an operation (EX_NOPERM).
    public static let refused = ExitCode(77)

    /// The meaning of each code, as in the help and in README.
    public static let meanings: [(code: ExitCode, words: String)] = [
        (.success, "done"), (failed, "failed"), (notFound, "not found"), (timedOut, "timed out"),
        (rejected, "rejected by the sensor"), (expired, "expired"), (usage, "wrong usage"),
        (unavailable, "broker or database unreachable"), (refused, "login refused"),
    ]
}
