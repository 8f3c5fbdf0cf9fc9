// Calls that Glibc's Swift module does not export, or not in every kind of build: eventfd, thread names, the wall clock.
#pragma once
#include <stdint.h>

// A non-blocking, close-on-exec eventfd, or -1 with errno set. eventfd(2)
int cthread_eventfd(void);
// Adds 1 to the counter, which wakes the thread that polls the descriptor. Safe from any thread.
void cthread_eventfd_signal(int descriptor);
// Sets the counter to 0.
void cthread_eventfd_drain(int descriptor);
// Names the calling thread; the name is cut to its first 15 bytes. pthread_setname_np(3)
void cthread_set_name(const char *name);
// Nanoseconds since 1970 by the system's clock. clock_gettime(2), CLOCK_REALTIME
int64_t cthread_unix_nanoseconds(void);
