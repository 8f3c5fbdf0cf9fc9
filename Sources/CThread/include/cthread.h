// What Glibc's Swift module hides: eventfd and the name of a thread.
#pragma once
#include <stdint.h>

// A non-blocking, close-on-exec eventfd, or -1 with errno set. eventfd(2)
int cthread_eventfd(void);
// Adds 1 to the counter: wakes whoever polls it. Safe from any thread.
void cthread_eventfd_signal(int descriptor);
// Sets the counter to 0.
void cthread_eventfd_drain(int descriptor);
// Names the calling thread (the first 15 bytes). pthread_setname_np(3)
void cthread_set_name(const char *name);
