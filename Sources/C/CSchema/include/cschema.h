// The SQL of the schema, embedded in the program.
#pragma once
#include <stddef.h>

#pragma clang assume_nonnull begin

// A file of Sources/Database/Store/Schema. `text` has `size` bytes and no NUL at its end.
struct cschema_file {
    int number;  // of a step; 0: a file of functions
    const char *name;
    const unsigned char *text;
    size_t size;
};

// How many numbered steps there are.
size_t cschema_step_count(void);
// A numbered step, oldest first; `index` is below the count.
struct cschema_file cschema_step(size_t index);
// How many files of functions there are.
size_t cschema_functions_count(void);
// A file of functions, in the order in which they are applied; `index` is below the count.
struct cschema_file cschema_functions(size_t index);

#pragma clang assume_nonnull end
