#pragma once
#include <stdint.h>
#include <sys/time.h>
#include <stdlib.h>
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

// amqp_login_with_properties is variadic, which Swift can't call. PLAIN is the one mechanism that we use.
static inline amqp_rpc_reply_t crabbitmq_login(
    amqp_connection_state_t connection, const char *vhost, int frame_bytes_max, int heartbeat_seconds,
    const amqp_table_t *properties, const char *user, const char *password) {
    return amqp_login_with_properties(
        connection, vhost, 0, frame_bytes_max, heartbeat_seconds, properties, AMQP_SASL_METHOD_PLAIN, user, password);
}
