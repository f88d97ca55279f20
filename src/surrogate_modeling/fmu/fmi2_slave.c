/* FMI 2.0 co-simulation slave of a surrogate model. Needs the C library only.

   model.h (generated) holds sizes, scaling, start values, weights, and the network as C functions.

   Time starts at the last given row. The rows up to there are the parameters "initial[i].<column>"; every step of
   STEP seconds gives the next row. The control of that row is the input set before the step, carried on by its first
   derivative where the environment gives one. */

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef void *fmi2Component, *fmi2ComponentEnvironment, *fmi2FMUstate;
typedef unsigned int fmi2ValueReference;
typedef double fmi2Real;
typedef int fmi2Integer, fmi2Boolean;
typedef char fmi2Char;
typedef const fmi2Char *fmi2String;
typedef char fmi2Byte;
typedef enum { fmi2OK, fmi2Warning, fmi2Discard, fmi2Error, fmi2Fatal, fmi2Pending } fmi2Status;
typedef enum { fmi2ModelExchange, fmi2CoSimulation } fmi2Type;
typedef enum { fmi2DoStepStatus, fmi2PendingStatus, fmi2LastSuccessfulTime, fmi2Terminated } fmi2StatusKind;
typedef struct {
    void (*logger)(fmi2ComponentEnvironment, fmi2String, fmi2Status, fmi2String, fmi2String, ...);
    void *(*allocateMemory)(size_t, size_t);
    void (*freeMemory)(void *);
    void (*stepFinished)(fmi2ComponentEnvironment, fmi2Status);
    fmi2ComponentEnvironment componentEnvironment;
} fmi2CallbackFunctions;

#define COLUMNS (CONTROLS + PREDICTED)
#define FIRST_OUTPUT CONTROLS
#define FIRST_INITIAL COLUMNS
#define VARIABLES (COLUMNS + IN_LEN * COLUMNS)
#define STEP_TOLERANCE 1e-6

typedef enum { INSTANTIATED, INITIALIZING, STEPPING, TERMINATED } Phase;

/* Everything that changes during a simulation: saving and restoring it is one copy. */
typedef struct {
    Phase phase;
    double start, time;
    double controls[CONTROLS], derivatives[CONTROLS], predicted[PREDICTED], initial[IN_LEN * COLUMNS];
    float memory[MEMORY]; /* the past window (IN_LEN, COLUMNS), or the state of the network; standardised */
} State;

typedef struct {
    State state;
    fmi2CallbackFunctions callbacks;
    char *name;
    float work[WORKSPACE];
} Instance;

static fmi2Status say(Instance *m, fmi2Status status, const char *category, const char *message)
{
    if (m->callbacks.logger)
        m->callbacks.logger(m->callbacks.componentEnvironment, m->name, status, category, "%s", message);
    return status;
}

static void set_start_values(Instance *m)
{
    memset(&m->state, 0, sizeof m->state);
    for (int i = 0; i < IN_LEN * COLUMNS; i++)
        m->state.initial[i] = start_values[i];
    for (int i = 0; i < CONTROLS; i++)
        m->state.controls[i] = start_values[(IN_LEN - 1) * COLUMNS + i];
}

static float standardised(double value, int column)
{
    return ((float)value - mean[column]) / scale[column];
}

/* Standardised output of the network -> the outputs of the slave. */
static void restore(State *s, const float *row)
{
    for (int j = 0; j < PREDICTED; j++)
        s->predicted[j] = row[j] * scale[CONTROLS + j] + mean[CONTROLS + j];
}

static void begin(Instance *m)
{
    State *s = &m->state;
    float past[IN_LEN * COLUMNS];
    for (int i = 0; i < IN_LEN * COLUMNS; i++)
        past[i] = standardised(s->initial[i], i % COLUMNS);
#ifdef WINDOW_NETWORK
    memcpy(s->memory, past, sizeof past);
#else
    network_encode(past, s->memory, m->work);
#endif
    for (int j = 0; j < PREDICTED; j++)
        s->predicted[j] = s->initial[(IN_LEN - 1) * COLUMNS + CONTROLS + j];
}

static void advance(Instance *m, const double *controls)
{
    State *s = &m->state;
    float control[CONTROLS], row[PREDICTED];
    for (int i = 0; i < CONTROLS; i++)
        control[i] = standardised(controls[i], i);
#ifdef WINDOW_NETWORK
    network_step(s->memory, control, row, m->work);
    memmove(s->memory, s->memory + COLUMNS, (IN_LEN - 1) * COLUMNS * sizeof(float));
    memcpy(s->memory + (IN_LEN - 1) * COLUMNS, control, sizeof control);
    memcpy(s->memory + (IN_LEN - 1) * COLUMNS + CONTROLS, row, sizeof row);
#else
    static const size_t bytes = sizeof s->memory;
    float next[MEMORY];
    network_advance(s->memory, control, next, row, m->work);
    memcpy(s->memory, next, bytes);
#endif
    restore(s, row);
}

EXPORT const char *fmi2GetTypesPlatform(void) { return "default"; }
EXPORT const char *fmi2GetVersion(void) { return "2.0"; }

EXPORT fmi2Component fmi2Instantiate(fmi2String name, fmi2Type type, fmi2String guid, fmi2String resources,
                                     const fmi2CallbackFunctions *callbacks, fmi2Boolean visible, fmi2Boolean logging)
{
    (void)resources; (void)visible; (void)logging;
    Instance *m = calloc(1, sizeof *m);
    if (!m || !callbacks || !name) {
        free(m);
        return NULL;
    }
    m->callbacks = *callbacks;
    m->name = calloc(strlen(name) + 1, 1);
    if (m->name)
        strcpy(m->name, name);
    const char *wrong = !m->name ? "no memory" : type != fmi2CoSimulation ? "only co-simulation is supported" :
        !guid || strcmp(guid, MODEL_GUID) ? "the GUID is not that of modelDescription.xml" : NULL;
    if (wrong) {
        say(m, fmi2Error, "logStatusError", wrong);
        free(m->name);
        free(m);
        return NULL;
    }
    set_start_values(m);
    return m;
}

EXPORT void fmi2FreeInstance(fmi2Component c)
{
    Instance *m = c;
    if (m)
        free(m->name);
    free(m);
}

EXPORT fmi2Status fmi2SetDebugLogging(fmi2Component c, fmi2Boolean on, size_t n, const fmi2String categories[])
{
    (void)c; (void)on; (void)n; (void)categories;
    return fmi2OK;
}

EXPORT fmi2Status fmi2SetupExperiment(fmi2Component c, fmi2Boolean tolerance_given, fmi2Real tolerance, fmi2Real start,
                                      fmi2Boolean stop_given, fmi2Real stop)
{
    Instance *m = c;
    (void)tolerance_given; (void)tolerance; (void)stop_given; (void)stop;
    m->state.start = m->state.time = start;
    return fmi2OK;
}

EXPORT fmi2Status fmi2EnterInitializationMode(fmi2Component c)
{
    ((Instance *)c)->state.phase = INITIALIZING;
    return fmi2OK;
}

EXPORT fmi2Status fmi2ExitInitializationMode(fmi2Component c)
{
    Instance *m = c;
    if (m->state.phase != INITIALIZING)
        return say(m, fmi2Error, "logStatusError", "fmi2ExitInitializationMode without fmi2EnterInitializationMode");
    begin(m);
    m->state.phase = STEPPING;
    return fmi2OK;
}

EXPORT fmi2Status fmi2Terminate(fmi2Component c)
{
    ((Instance *)c)->state.phase = TERMINATED;
    return fmi2OK;
}

EXPORT fmi2Status fmi2Reset(fmi2Component c)
{
    set_start_values(c);
    return fmi2OK;
}

EXPORT fmi2Status fmi2GetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Real value[])
{
    Instance *m = c;
    State *s = &m->state;
    for (size_t i = 0; i < n; i++) {
        if (vr[i] < FIRST_OUTPUT)
            value[i] = s->controls[vr[i]];
        else if (vr[i] < FIRST_INITIAL)
            /* Before the first step the outputs are the last given row. */
            value[i] = s->phase < STEPPING ? s->initial[(IN_LEN - 1) * COLUMNS + vr[i]] : s->predicted[vr[i] - CONTROLS];
        else if (vr[i] < VARIABLES)
            value[i] = s->initial[vr[i] - FIRST_INITIAL];
        else
            return say(m, fmi2Error, "logStatusError", "fmi2GetReal: no variable of this value reference");
    }
    return fmi2OK;
}

EXPORT fmi2Status fmi2SetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Real value[])
{
    Instance *m = c;
    State *s = &m->state;
    for (size_t i = 0; i < n; i++) {
        if (vr[i] < FIRST_OUTPUT)
            s->controls[vr[i]] = value[i];
        else if (vr[i] >= FIRST_INITIAL && vr[i] < VARIABLES && s->phase < STEPPING)
            s->initial[vr[i] - FIRST_INITIAL] = value[i];
        else
            return say(m, fmi2Error, "logStatusError",
                       "fmi2SetReal: only inputs, and before the end of the initialization the initial rows, can be set");
    }
    return fmi2OK;
}

EXPORT fmi2Status fmi2SetRealInputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t n,
                                              const fmi2Integer order[], const fmi2Real value[])
{
    Instance *m = c;
    for (size_t i = 0; i < n; i++) {
        if (vr[i] >= CONTROLS || order[i] != 1)
            return say(m, fmi2Error, "logStatusError", "fmi2SetRealInputDerivatives: first derivatives of inputs only");
        m->state.derivatives[vr[i]] = value[i];
    }
    return fmi2OK;
}

EXPORT fmi2Status fmi2DoStep(fmi2Component c, fmi2Real time, fmi2Real step, fmi2Boolean no_rewind)
{
    Instance *m = c;
    State *s = &m->state;
    (void)no_rewind;
    if (s->phase != STEPPING)
        return say(m, fmi2Error, "logStatusError", "fmi2DoStep before the end of the initialization");
    if (fabs(time - s->time) > STEP_TOLERANCE * STEP + 1e-12 * fabs(time))
        return say(m, fmi2Error, "logStatusError", "fmi2DoStep: not the time that the last step ended at");
    const double count = floor(step / STEP + 0.5);
    if (count < 1 || fabs(step - count * STEP) > STEP_TOLERANCE * STEP)
        return say(m, fmi2Error, "logStatusError",
                   "fmi2DoStep: the step must be a whole number of steps of " STEP_TEXT " s");
    for (int i = 1; i <= (int)count; i++) {
        double controls[CONTROLS];
        for (int j = 0; j < CONTROLS; j++)
            controls[j] = s->controls[j] + i * STEP * s->derivatives[j];
        advance(m, controls);
    }
    s->time = time + step;
    memset(s->derivatives, 0, sizeof s->derivatives);
    return fmi2OK;
}

EXPORT fmi2Status fmi2GetFMUstate(fmi2Component c, fmi2FMUstate *state)
{
    if (!*state && !(*state = malloc(sizeof(State))))
        return fmi2Error;
    memcpy(*state, &((Instance *)c)->state, sizeof(State));
    return fmi2OK;
}

EXPORT fmi2Status fmi2SetFMUstate(fmi2Component c, fmi2FMUstate state)
{
    memcpy(&((Instance *)c)->state, state, sizeof(State));
    return fmi2OK;
}

EXPORT fmi2Status fmi2FreeFMUstate(fmi2Component c, fmi2FMUstate *state)
{
    (void)c;
    free(*state);
    *state = NULL;
    return fmi2OK;
}

EXPORT fmi2Status fmi2SerializedFMUstateSize(fmi2Component c, fmi2FMUstate state, size_t *size)
{
    (void)c; (void)state;
    *size = sizeof(State);
    return fmi2OK;
}

EXPORT fmi2Status fmi2SerializeFMUstate(fmi2Component c, fmi2FMUstate state, fmi2Byte bytes[], size_t size)
{
    (void)c;
    if (size < sizeof(State))
        return fmi2Error;
    memcpy(bytes, state, sizeof(State));
    return fmi2OK;
}

EXPORT fmi2Status fmi2DeSerializeFMUstate(fmi2Component c, const fmi2Byte bytes[], size_t size, fmi2FMUstate *state)
{
    if (size != sizeof(State))
        return say(c, fmi2Error, "logStatusError", "fmi2DeSerializeFMUstate: not a state of this model");
    if (!*state && !(*state = malloc(sizeof(State))))
        return fmi2Error;
    memcpy(*state, bytes, sizeof(State));
    return fmi2OK;
}

/* What the standard asks for and this slave has no use for. */

#define NOTHING_OF(TYPE)                                                                                              \
    EXPORT fmi2Status fmi2Get##TYPE(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2##TYPE value[])     \
    {                                                                                                                 \
        (void)vr; (void)value;                                                                                        \
        return n ? say(c, fmi2Error, "logStatusError", "there are no variables of type " #TYPE) : fmi2OK;             \
    }                                                                                                                 \
    EXPORT fmi2Status fmi2Set##TYPE(fmi2Component c, const fmi2ValueReference vr[], size_t n,                         \
                                    const fmi2##TYPE value[])                                                         \
    {                                                                                                                 \
        (void)vr; (void)value;                                                                                        \
        return n ? say(c, fmi2Error, "logStatusError", "there are no variables of type " #TYPE) : fmi2OK;             \
    }

NOTHING_OF(Integer)
NOTHING_OF(Boolean)
NOTHING_OF(String)

EXPORT fmi2Status fmi2GetDirectionalDerivative(fmi2Component c, const fmi2ValueReference u[], size_t n,
                                               const fmi2ValueReference k[], size_t m, const fmi2Real dv[],
                                               fmi2Real dz[])
{
    (void)u; (void)n; (void)k; (void)m; (void)dv; (void)dz;
    return say(c, fmi2Error, "logStatusError", "directional derivatives are not provided");
}

EXPORT fmi2Status fmi2GetRealOutputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t n,
                                               const fmi2Integer order[], fmi2Real value[])
{
    (void)vr; (void)n; (void)order; (void)value;
    return say(c, fmi2Error, "logStatusError", "output derivatives are not provided");
}

EXPORT fmi2Status fmi2CancelStep(fmi2Component c)
{
    return say(c, fmi2Error, "logStatusError", "steps are not asynchronous");
}

EXPORT fmi2Status fmi2GetStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Status *value)
{
    (void)kind; (void)value;
    return say(c, fmi2Discard, "logStatusDiscard", "steps are not asynchronous");
}

EXPORT fmi2Status fmi2GetRealStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Real *value)
{
    if (kind != fmi2LastSuccessfulTime)
        return fmi2Discard;
    *value = ((Instance *)c)->state.time;
    return fmi2OK;
}

EXPORT fmi2Status fmi2GetIntegerStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Integer *value)
{
    (void)c; (void)kind; (void)value;
    return fmi2Discard;
}

EXPORT fmi2Status fmi2GetBooleanStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Boolean *value)
{
    (void)c;
    if (kind != fmi2Terminated)
        return fmi2Discard;
    *value = 0;
    return fmi2OK;
}

EXPORT fmi2Status fmi2GetStringStatus(fmi2Component c, const fmi2StatusKind kind, fmi2String *value)
{
    (void)c; (void)kind; (void)value;
    return fmi2Discard;
}
