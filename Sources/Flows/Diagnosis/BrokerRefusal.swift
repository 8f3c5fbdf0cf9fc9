/// The reason for which the broker refused a connection, by the text of its answer.
enum BrokerRefusal: Sendable, Equatable {
    /// The user does not exist, or the password is wrong.
    case login
    /// The virtual host does not exist.
    case noVirtualHost
    /// The user has no permissions in the virtual host.
    case noPermission

    /// The reason that the text of RabbitMQ's answer stands for: "NOT_ALLOWED - vhost x not found",
    /// "NOT_ALLOWED - access to vhost 'x' refused for user 'u'", "ACCESS_REFUSED - Login was refused …".
    init(_ text: String) {
        self =
            text.contains("access to vhost")
            ? .noPermission : text.contains("vhost") && text.contains("not found") ? .noVirtualHost : .login
    }

    /// How an operator fixes it.
    func fix(user: String, virtualHost: String) -> String {
        switch self {
        case .login:
            "correct the user and the password in AMQP_URL, or set them at the broker: rabbitmqctl change_password '\(user)'"
        case .noVirtualHost:
            "correct the virtual host at the end of AMQP_URL, or create it: rabbitmqctl add_vhost '\(virtualHost)'"
        case .noPermission: "rabbitmqctl set_permissions -p '\(virtualHost)' '\(user)' '.*' '.*' '.*'"
        }
    }
}
