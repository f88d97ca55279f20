/* A surrogate model as an FMI 3.0 co-simulation slave. */

#include <stdbool.h>
#include <stdint.h>

#include "slave.h"

typedef void *fmi3Instance, *fmi3InstanceEnvironment, *fmi3FMUState;
typedef uint32_t fmi3ValueReference;
typedef float fmi3Float32;
typedef double fmi3Float64;
typedef int8_t fmi3Int8;
typedef uint8_t fmi3UInt8, fmi3Byte;
typedef int16_t fmi3Int16;
typedef uint16_t fmi3UInt16;
typedef int32_t fmi3Int32;
typedef uint32_t fmi3UInt32;
typedef int64_t fmi3Int64;
typedef uint64_t fmi3UInt64;
typedef bool fmi3Boolean, fmi3Clock;
typedef const char *fmi3String;
typedef const fmi3Byte *fmi3Binary;
typedef enum { fmi3OK, fmi3Warning, fmi3Discard, fmi3Error, fmi3Fatal } fmi3Status;
typedef enum {
    fmi3Independent, fmi3Constant, fmi3Fixed, fmi3Tunable, fmi3Discrete, fmi3Dependent
} fmi3DependencyKind;
typedef enum { fmi3IntervalNotYetKnown, fmi3IntervalUnchanged, fmi3IntervalChanged } fmi3IntervalQualifier;
typedef void (*fmi3LogMessageCallback)(fmi3InstanceEnvironment, fmi3Status, fmi3String, fmi3String);
typedef void (*fmi3ClockUpdateCallback)(fmi3InstanceEnvironment);
typedef void (*fmi3IntermediateUpdateCallback)(fmi3InstanceEnvironment, fmi3Float64, fmi3Boolean, fmi3Boolean,
                                               fmi3Boolean, fmi3Boolean, fmi3Boolean *, fmi3Float64 *);
typedef void (*fmi3LockPreemptionCallback)(void);
typedef void (*fmi3UnlockPreemptionCallback)(void);

typedef struct {
    Slave slave;
    fmi3InstanceEnvironment environment;
    fmi3LogMessageCallback log;
} Instance;

#define STATE(instance) (&((Instance *)(instance))->slave.state)

/* Log an error message, if there is one, and return the status. */
static fmi3Status result(Instance *m, const char *message)
{
    if (message && m->log)
        m->log(m->environment, fmi3Error, "logStatusError", message);
    return message ? fmi3Error : fmi3OK;
}

EXPORT const char *fmi3GetVersion(void) { return "3.0"; }

EXPORT fmi3Instance fmi3InstantiateCoSimulation(fmi3String name, fmi3String token, fmi3String resources,
                                                fmi3Boolean visible, fmi3Boolean logging, fmi3Boolean event_mode,
                                                fmi3Boolean early_return, const fmi3ValueReference intermediate[],
                                                size_t n_intermediate, fmi3InstanceEnvironment environment,
                                                fmi3LogMessageCallback log, fmi3IntermediateUpdateCallback update)
{
    (void)name; (void)resources; (void)visible; (void)logging; (void)early_return; (void)intermediate;
    (void)n_intermediate; (void)update;
    Instance *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->environment = environment;
    m->log = log;
    const char *message = !token || strcmp(token, MODEL_TOKEN) ? "the token is not that of modelDescription.xml" :
        event_mode ? "there is no event mode" : NULL;
    if (result(m, message) != fmi3OK) {
        free(m);
        return NULL;
    }
    set_start_values(&m->slave.state);
    return m;
}

EXPORT void fmi3FreeInstance(fmi3Instance c) { free(c); }

EXPORT fmi3Status fmi3SetDebugLogging(fmi3Instance c, fmi3Boolean on, size_t n, const fmi3String categories[])
{
    (void)c; (void)on; (void)n; (void)categories;
    return fmi3OK;
}

EXPORT fmi3Status fmi3EnterInitializationMode(fmi3Instance c, fmi3Boolean tolerance_given, fmi3Float64 tolerance,
                                              fmi3Float64 start, fmi3Boolean stop_given, fmi3Float64 stop)
{
    State *s = STATE(c);
    (void)tolerance_given; (void)tolerance; (void)stop_given; (void)stop;
    if (s->phase != INSTANTIATED)
        return result(c, "fmi3EnterInitializationMode: the instance is initialized already");
    s->time = start;
    s->phase = INITIALIZING;
    return fmi3OK;
}

EXPORT fmi3Status fmi3ExitInitializationMode(fmi3Instance c)
{
    return result(c, end_initialization(&((Instance *)c)->slave));
}

EXPORT fmi3Status fmi3Terminate(fmi3Instance c)
{
    STATE(c)->phase = TERMINATED;
    return fmi3OK;
}

EXPORT fmi3Status fmi3Reset(fmi3Instance c)
{
    set_start_values(STATE(c));
    return fmi3OK;
}

EXPORT fmi3Status fmi3GetFloat64(fmi3Instance c, const fmi3ValueReference vr[], size_t n, fmi3Float64 value[],
                                 size_t n_values)
{
    const char *message = n == n_values ? NULL : "fmi3GetFloat64: every variable is a scalar";
    for (size_t i = 0; i < n && !message; i++)
        message = get_value(STATE(c), vr[i], &value[i]);
    return result(c, message);
}

EXPORT fmi3Status fmi3SetFloat64(fmi3Instance c, const fmi3ValueReference vr[], size_t n, const fmi3Float64 value[],
                                 size_t n_values)
{
    const char *message = n == n_values ? NULL : "fmi3SetFloat64: every variable is a scalar";
    for (size_t i = 0; i < n && !message; i++)
        message = set_value(STATE(c), vr[i], value[i]);
    return result(c, message);
}

EXPORT fmi3Status fmi3DoStep(fmi3Instance c, fmi3Float64 time, fmi3Float64 step, fmi3Boolean no_rewind,
                             fmi3Boolean *event, fmi3Boolean *terminate, fmi3Boolean *early, fmi3Float64 *reached)
{
    (void)no_rewind;
    const char *message = do_step(&((Instance *)c)->slave, time, step);
    *event = *terminate = *early = false;
    *reached = STATE(c)->time;
    return result(c, message);
}

EXPORT fmi3Status fmi3GetFMUState(fmi3Instance c, fmi3FMUState *state)
{
    return result(c, copy_state(STATE(c), state));
}

EXPORT fmi3Status fmi3SetFMUState(fmi3Instance c, fmi3FMUState state)
{
    memcpy(STATE(c), state, sizeof(State));
    return fmi3OK;
}

EXPORT fmi3Status fmi3FreeFMUState(fmi3Instance c, fmi3FMUState *state)
{
    (void)c;
    free(*state);
    *state = NULL;
    return fmi3OK;
}

EXPORT fmi3Status fmi3SerializedFMUStateSize(fmi3Instance c, fmi3FMUState state, size_t *size)
{
    (void)c; (void)state;
    *size = sizeof(State);
    return fmi3OK;
}

EXPORT fmi3Status fmi3SerializeFMUState(fmi3Instance c, fmi3FMUState state, fmi3Byte bytes[], size_t size)
{
    if (size < sizeof(State))
        return result(c, "fmi3SerializeFMUState: too little room");
    memcpy(bytes, state, sizeof(State));
    return fmi3OK;
}

EXPORT fmi3Status fmi3DeserializeFMUState(fmi3Instance c, const fmi3Byte bytes[], size_t size, fmi3FMUState *state)
{
    return result(c, size != sizeof(State) ? "fmi3DeserializeFMUState: not a state of this model"
                                           : copy_state(bytes, state));
}

/* Functions that the standard requires and this slave does not support. An instance that cannot be made is NULL. */

EXPORT fmi3Instance fmi3InstantiateModelExchange(fmi3String name, fmi3String token, fmi3String resources,
                                                 fmi3Boolean visible, fmi3Boolean logging,
                                                 fmi3InstanceEnvironment environment, fmi3LogMessageCallback log)
{
    (void)name; (void)token; (void)resources; (void)visible; (void)logging; (void)environment; (void)log;
    return NULL;
}

EXPORT fmi3Instance fmi3InstantiateScheduledExecution(fmi3String name, fmi3String token, fmi3String resources,
                                                      fmi3Boolean visible, fmi3Boolean logging,
                                                      fmi3InstanceEnvironment environment,
                                                      fmi3LogMessageCallback log, fmi3ClockUpdateCallback update,
                                                      fmi3LockPreemptionCallback lock,
                                                      fmi3UnlockPreemptionCallback unlock)
{
    (void)name; (void)token; (void)resources; (void)visible; (void)logging; (void)environment; (void)log;
    (void)update; (void)lock; (void)unlock;
    return NULL;
}

#define REFERENCES const fmi3ValueReference vr[], size_t n

#define NOTHING_OF(TYPE)                                                                                              \
    EXPORT fmi3Status fmi3Get##TYPE(fmi3Instance c, REFERENCES, fmi3##TYPE value[], size_t n_values)                  \
    {                                                                                                                 \
        (void)vr; (void)value; (void)n_values;                                                                        \
        return result(c, n ? "there are no variables of type " #TYPE : NULL);                                         \
    }                                                                                                                 \
    EXPORT fmi3Status fmi3Set##TYPE(fmi3Instance c, REFERENCES, const fmi3##TYPE value[], size_t n_values)            \
    {                                                                                                                 \
        (void)vr; (void)value; (void)n_values;                                                                        \
        return result(c, n ? "there are no variables of type " #TYPE : NULL);                                         \
    }

NOTHING_OF(Float32)
NOTHING_OF(Int8)
NOTHING_OF(UInt8)
NOTHING_OF(Int16)
NOTHING_OF(UInt16)
NOTHING_OF(Int32)
NOTHING_OF(UInt32)
NOTHING_OF(Int64)
NOTHING_OF(UInt64)
NOTHING_OF(Boolean)
NOTHING_OF(String)

#define NOT_PROVIDED(NAME, ...)                                                                                       \
    EXPORT fmi3Status fmi3##NAME(__VA_ARGS__) { return result(c, "fmi3" #NAME " is not provided"); }

NOT_PROVIDED(GetBinary, fmi3Instance c, REFERENCES, size_t sizes[], fmi3Binary value[], size_t n_values)
NOT_PROVIDED(SetBinary, fmi3Instance c, REFERENCES, const size_t sizes[], const fmi3Binary value[], size_t n_values)
NOT_PROVIDED(GetClock, fmi3Instance c, REFERENCES, fmi3Clock value[])
NOT_PROVIDED(SetClock, fmi3Instance c, REFERENCES, const fmi3Clock value[])
NOT_PROVIDED(GetNumberOfVariableDependencies, fmi3Instance c, fmi3ValueReference vr, size_t *n)
NOT_PROVIDED(GetVariableDependencies, fmi3Instance c, fmi3ValueReference vr, size_t elements[],
             fmi3ValueReference independents[], size_t independent_elements[], fmi3DependencyKind kinds[], size_t n)
NOT_PROVIDED(GetDirectionalDerivative, fmi3Instance c, const fmi3ValueReference unknowns[], size_t n_unknowns,
             const fmi3ValueReference knowns[], size_t n_knowns, const fmi3Float64 seed[], size_t n_seed,
             fmi3Float64 sensitivity[], size_t n_sensitivity)
NOT_PROVIDED(GetAdjointDerivative, fmi3Instance c, const fmi3ValueReference unknowns[], size_t n_unknowns,
             const fmi3ValueReference knowns[], size_t n_knowns, const fmi3Float64 seed[], size_t n_seed,
             fmi3Float64 sensitivity[], size_t n_sensitivity)
NOT_PROVIDED(GetOutputDerivatives, fmi3Instance c, REFERENCES, const fmi3Int32 orders[], fmi3Float64 value[],
             size_t n_values)
NOT_PROVIDED(GetIntervalDecimal, fmi3Instance c, REFERENCES, fmi3Float64 intervals[],
             fmi3IntervalQualifier qualifiers[])
NOT_PROVIDED(GetIntervalFraction, fmi3Instance c, REFERENCES, fmi3UInt64 counters[], fmi3UInt64 resolutions[],
             fmi3IntervalQualifier qualifiers[])
NOT_PROVIDED(GetShiftDecimal, fmi3Instance c, REFERENCES, fmi3Float64 shifts[])
NOT_PROVIDED(GetShiftFraction, fmi3Instance c, REFERENCES, fmi3UInt64 counters[], fmi3UInt64 resolutions[])
NOT_PROVIDED(SetIntervalDecimal, fmi3Instance c, REFERENCES, const fmi3Float64 intervals[])
NOT_PROVIDED(SetIntervalFraction, fmi3Instance c, REFERENCES, const fmi3UInt64 counters[],
             const fmi3UInt64 resolutions[])
NOT_PROVIDED(SetShiftDecimal, fmi3Instance c, REFERENCES, const fmi3Float64 shifts[])
NOT_PROVIDED(SetShiftFraction, fmi3Instance c, REFERENCES, const fmi3UInt64 counters[],
             const fmi3UInt64 resolutions[])
NOT_PROVIDED(UpdateDiscreteStates, fmi3Instance c, fmi3Boolean *update, fmi3Boolean *terminate, fmi3Boolean *nominals,
             fmi3Boolean *values, fmi3Boolean *next_defined, fmi3Float64 *next)
NOT_PROVIDED(CompletedIntegratorStep, fmi3Instance c, fmi3Boolean no_rewind, fmi3Boolean *event,
             fmi3Boolean *terminate)
NOT_PROVIDED(SetTime, fmi3Instance c, fmi3Float64 time)
NOT_PROVIDED(SetContinuousStates, fmi3Instance c, const fmi3Float64 states[], size_t n)
NOT_PROVIDED(GetContinuousStates, fmi3Instance c, fmi3Float64 states[], size_t n)
NOT_PROVIDED(GetContinuousStateDerivatives, fmi3Instance c, fmi3Float64 derivatives[], size_t n)
NOT_PROVIDED(GetNominalsOfContinuousStates, fmi3Instance c, fmi3Float64 nominals[], size_t n)
NOT_PROVIDED(GetEventIndicators, fmi3Instance c, fmi3Float64 indicators[], size_t n)
NOT_PROVIDED(GetNumberOfEventIndicators, fmi3Instance c, size_t *n)
NOT_PROVIDED(GetNumberOfContinuousStates, fmi3Instance c, size_t *n)
NOT_PROVIDED(ActivateModelPartition, fmi3Instance c, fmi3ValueReference clock, fmi3Float64 time)
NOT_PROVIDED(EnterConfigurationMode, fmi3Instance c)
NOT_PROVIDED(ExitConfigurationMode, fmi3Instance c)
NOT_PROVIDED(EnterContinuousTimeMode, fmi3Instance c)
NOT_PROVIDED(EnterEventMode, fmi3Instance c)
NOT_PROVIDED(EnterStepMode, fmi3Instance c)
NOT_PROVIDED(EvaluateDiscreteStates, fmi3Instance c)
