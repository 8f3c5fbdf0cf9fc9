// For Device: epoll(7) and the pending error of a socket, which Glibc's Swift module hides.
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

// What a socket is ready for.
struct device_readiness {
    uint64_t tag;  // as given to device_epoll_set
    bool readable;
    bool writable;
    bool failed;
};

// A new epoll instance, or -1 with errno set. epoll_create1(2)
static inline int device_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

// Watches a socket, or changes how: always for reading, for writing if so wanted. 0, or -1 with errno set. epoll_ctl(2)
static inline int device_epoll_set(int epoll, int socket, uint64_t tag, bool is_new, bool wants_write) {
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data = {.u64 = tag}};
    return epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
}

// Fills in at most `capacity` (128 at most) sockets that are ready now; does not wait. epoll_wait(2)
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

// The error that waits at a socket, 0 if none does: why a connect(2) failed. Takes it away.
static inline int device_socket_error(int socket) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}
