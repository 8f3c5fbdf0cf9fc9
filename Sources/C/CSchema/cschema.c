// #embed belongs to C23; clang has it in every mode. It lists the files as dependencies, so that a change of one compiles
// this again.
#pragma clang diagnostic ignored "-Wc23-extensions"
#include "cschema.h"

#define STEP(number, name) {number, #name, step_##name, sizeof step_##name}
#define FUNCTIONS(name) {0, #name, functions_##name, sizeof functions_##name}
#define COUNT_OF(array) (sizeof array / sizeof array[0])

// The numbered steps: each runs once, and never changes.

static const unsigned char step_core[] = {
#embed "../../Database/Store/Schema/Migrations/m0001_core.sql"
};
static const unsigned char step_ledger[] = {
#embed "../../Database/Store/Schema/Migrations/m0002_ledger.sql"
};
static const unsigned char step_quarantine[] = {
#embed "../../Database/Store/Schema/Migrations/m0003_quarantine.sql"
};
static const unsigned char step_ingest[] = {
#embed "../../Database/Store/Schema/Migrations/m0004_ingest.sql"
};
static const unsigned char step_control[] = {
#embed "../../Database/Store/Schema/Migrations/m0005_control.sql"
};
static const unsigned char step_store[] = {
#embed "../../Database/Store/Schema/Migrations/m0006_store.sql"
};
static const unsigned char step_undeliverable[] = {
#embed "../../Database/Store/Schema/Migrations/m0007_undeliverable.sql"
};
static const unsigned char step_names[] = {
#embed "../../Database/Store/Schema/Migrations/m0008_names.sql"
};
static const unsigned char step_alarms[] = {
#embed "../../Database/Store/Schema/Migrations/m0009_alarms.sql"
};

static const struct cschema_file steps[] = {
    STEP(1, core),
    STEP(2, ledger),
    STEP(3, quarantine),
    STEP(4, ingest),
    STEP(5, control),
    STEP(6, store),
    STEP(7, undeliverable),
    STEP(8, names),
    STEP(9, alarms),
};

size_t cschema_step_count(void) { return COUNT_OF(steps); }

struct cschema_file cschema_step(size_t index) { return steps[index]; }

// The functions, views and comments: each file replaces what it defines, whenever it changed. A file may use what those
// above it define.

static const unsigned char functions_statistics[] = {
#embed "../../Database/Store/Schema/Functions/statistics.sql"
};
static const unsigned char functions_samples[] = {
#embed "../../Database/Store/Schema/Functions/samples.sql"
};
static const unsigned char functions_rollup[] = {
#embed "../../Database/Store/Schema/Functions/rollup.sql"
};
static const unsigned char functions_names[] = {
#embed "../../Database/Store/Schema/Functions/names.sql"
};
static const unsigned char functions_ingest[] = {
#embed "../../Database/Store/Schema/Functions/ingest.sql"
};
static const unsigned char functions_rules[] = {
#embed "../../Database/Store/Schema/Functions/rules.sql"
};
static const unsigned char functions_twin[] = {
#embed "../../Database/Store/Schema/Functions/twin.sql"
};
static const unsigned char functions_chart[] = {
#embed "../../Database/Store/Schema/Functions/chart.sql"
};
static const unsigned char functions_spectrum[] = {
#embed "../../Database/Store/Schema/Functions/spectrum.sql"
};
static const unsigned char functions_place[] = {
#embed "../../Database/Store/Schema/Functions/place.sql"
};
static const unsigned char functions_fleet[] = {
#embed "../../Database/Store/Schema/Functions/fleet.sql"
};
static const unsigned char functions_retention[] = {
#embed "../../Database/Store/Schema/Functions/retention.sql"
};
static const unsigned char functions_history[] = {
#embed "../../Database/Store/Schema/Functions/history.sql"
};
static const unsigned char functions_comments[] = {
#embed "../../Database/Store/Schema/Functions/comments.sql"
};

static const struct cschema_file functions[] = {
    FUNCTIONS(statistics),
    FUNCTIONS(samples),
    FUNCTIONS(rollup),
    FUNCTIONS(names),
    FUNCTIONS(ingest),
    FUNCTIONS(rules),
    FUNCTIONS(twin),
    FUNCTIONS(chart),
    FUNCTIONS(spectrum),
    FUNCTIONS(place),
    FUNCTIONS(fleet),
    FUNCTIONS(retention),
    FUNCTIONS(history),
    FUNCTIONS(comments),
};

size_t cschema_functions_count(void) { return COUNT_OF(functions); }

struct cschema_file cschema_functions(size_t index) { return functions[index]; }
