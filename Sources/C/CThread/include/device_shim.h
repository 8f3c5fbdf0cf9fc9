// For the MQTT client: epoll(7) and the pending error of a socket, which Glibc's Swift module does not export.
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

// The operations that a socket is ready for.
struct device_readiness {
    uint64_t tag;  // the tag given to device_epoll_set
    bool readable;
    bool writable;
    bool failed;
};

// A new epoll instance, or -1 with errno set. epoll_create1(2)
static inline int device_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

// Watches a socket for reading and, if wants_write is set, for writing; also changes an existing watch.
// Returns 0, or -1 with errno set. epoll_ctl(2)
static inline int device_epoll_set(int epoll, int socket, uint64_t tag, bool is_new, bool wants_write) {
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data = {.u64 = tag}};
    return epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
}

// Fills in at most `capacity` (and at most 128) sockets that are ready now; does not wait. epoll_wait(2)
static inline int device_epoll_ready(int epoll, struct device_readiness *ready, int capacity) {
    struct epoll_event events[128];
    int count = epoll_wait(epoll, events, capacity < 128 ? capacity : 128, 0);
    for (int i = 0; i < count; i++) {
        ready[i].tag = events[i].data.u64;
        ready[i].readable = events[i].events & (EPOLLIN | EPOLLHUP);
        ready[i].writable = events[i].events & EPOLLOUT;
        ready[i].failed = events[i].events & EPOLLERR;
    }
    return count;
}

// Returns and clears the pending error of a socket, such as the reason why connect(2) failed; 0 if there is none.
static inline int device_socket_error(int socket) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}
