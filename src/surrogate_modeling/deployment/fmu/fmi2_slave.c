/* A surrogate model as an FMI 2.0 co-simulation slave. */

#include "slave.h"

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

typedef struct {
    Slave slave;
    fmi2CallbackFunctions callbacks;
    char *name;
} Instance;

static fmi2Status log_message(Instance *m, fmi2Status status, const char *category, const char *message)
{
    if (m->callbacks.logger)
        m->callbacks.logger(m->callbacks.componentEnvironment, m->name, status, category, "%s", message);
    return status;
}

/* Log an error message, if there is one, and return the status. */
static fmi2Status result(Instance *m, const char *message)
{
    return message ? log_message(m, fmi2Error, "logStatusError", message) : fmi2OK;
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
    m->name = copy_text(name);
    const char *message = !m->name ? "no memory" : type != fmi2CoSimulation ? "only co-simulation is supported" :
        !guid || strcmp(guid, MODEL_TOKEN) ? "the GUID is not that of modelDescription.xml" : NULL;
    if (message) {
        result(m, message);
        free(m->name);
        free(m);
        return NULL;
    }
    set_start_values(&m->slave.state);
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
    State *s = &((Instance *)c)->slave.state;
    (void)tolerance_given; (void)tolerance; (void)stop_given; (void)stop;
    s->time = start;
    return fmi2OK;
}

EXPORT fmi2Status fmi2EnterInitializationMode(fmi2Component c)
{
    ((Instance *)c)->slave.state.phase = INITIALIZING;
    return fmi2OK;
}

EXPORT fmi2Status fmi2ExitInitializationMode(fmi2Component c)
{
    return result(c, end_initialization(&((Instance *)c)->slave));
}

EXPORT fmi2Status fmi2Terminate(fmi2Component c)
{
    ((Instance *)c)->slave.state.phase = TERMINATED;
    return fmi2OK;
}

EXPORT fmi2Status fmi2Reset(fmi2Component c)
{
    set_start_values(&((Instance *)c)->slave.state);
    return fmi2OK;
}

EXPORT fmi2Status fmi2GetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Real value[])
{
    Instance *m = c;
    const char *message = NULL;
    for (size_t i = 0; i < n && !message; i++)
        message = get_value(&m->slave.state, vr[i], &value[i]);
    return result(m, message);
}

EXPORT fmi2Status fmi2SetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Real value[])
{
    Instance *m = c;
    const char *message = NULL;
    for (size_t i = 0; i < n && !message; i++)
        message = set_value(&m->slave.state, vr[i], value[i]);
    return result(m, message);
}

EXPORT fmi2Status fmi2SetRealInputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t n,
                                              const fmi2Integer order[], const fmi2Real value[])
{
    Instance *m = c;
    for (size_t i = 0; i < n; i++) {
        if (vr[i] >= CONTROLS || order[i] != 1)
            return result(m, "fmi2SetRealInputDerivatives: first derivatives of inputs only");
        if (!isfinite(value[i]))
            return result(m, "fmi2SetRealInputDerivatives: only finite numbers can be set");
        m->slave.state.derivatives[vr[i]] = value[i];
    }
    return fmi2OK;
}

EXPORT fmi2Status fmi2DoStep(fmi2Component c, fmi2Real time, fmi2Real step, fmi2Boolean no_rewind)
{
    (void)no_rewind;
    return result(c, do_step(&((Instance *)c)->slave, time, step));
}

EXPORT fmi2Status fmi2GetFMUstate(fmi2Component c, fmi2FMUstate *state)
{
    return result(c, copy_state(&((Instance *)c)->slave.state, state));
}

EXPORT fmi2Status fmi2SetFMUstate(fmi2Component c, fmi2FMUstate state)
{
    memcpy(&((Instance *)c)->slave.state, state, sizeof(State));
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
    if (size < sizeof(State))
        return result(c, "fmi2SerializeFMUstate: too little room");
    memcpy(bytes, state, sizeof(State));
    return fmi2OK;
}

EXPORT fmi2Status fmi2DeSerializeFMUstate(fmi2Component c, const fmi2Byte bytes[], size_t size, fmi2FMUstate *state)
{
    return result(c, size != sizeof(State) ? "fmi2DeSerializeFMUstate: not a state of this model"
                                           : copy_state(bytes, state));
}

/* Functions that the standard requires and this slave does not support. */

#define NOTHING_OF(TYPE)                                                                                              \
    EXPORT fmi2Status fmi2Get##TYPE(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2##TYPE value[])     \
    {                                                                                                                 \
        (void)vr; (void)value;                                                                                        \
        return result(c, n ? "there are no variables of type " #TYPE : NULL);                                         \
    }                                                                                                                 \
    EXPORT fmi2Status fmi2Set##TYPE(fmi2Component c, const fmi2ValueReference vr[], size_t n,                         \
                                    const fmi2##TYPE value[])                                                         \
    {                                                                                                                 \
        (void)vr; (void)value;                                                                                        \
        return result(c, n ? "there are no variables of type " #TYPE : NULL);                                         \
    }

NOTHING_OF(Integer)
NOTHING_OF(Boolean)
NOTHING_OF(String)

EXPORT fmi2Status fmi2GetDirectionalDerivative(fmi2Component c, const fmi2ValueReference u[], size_t n,
                                               const fmi2ValueReference k[], size_t m, const fmi2Real dv[],
                                               fmi2Real dz[])
{
    (void)u; (void)n; (void)k; (void)m; (void)dv; (void)dz;
    return result(c, "directional derivatives are not provided");
}

EXPORT fmi2Status fmi2GetRealOutputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t n,
                                               const fmi2Integer order[], fmi2Real value[])
{
    (void)vr; (void)n; (void)order; (void)value;
    return result(c, "output derivatives are not provided");
}

EXPORT fmi2Status fmi2CancelStep(fmi2Component c)
{
    return result(c, "steps are not asynchronous");
}

EXPORT fmi2Status fmi2GetStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Status *value)
{
    (void)kind; (void)value;
    return log_message(c, fmi2Discard, "logStatusDiscard", "steps are not asynchronous");
}

EXPORT fmi2Status fmi2GetRealStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Real *value)
{
    if (kind != fmi2LastSuccessfulTime)
        return fmi2Discard;
    *value = ((Instance *)c)->slave.state.time;
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
