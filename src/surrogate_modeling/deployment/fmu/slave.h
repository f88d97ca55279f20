/* The part of an FMU slave that all versions of FMI share: variables and time step of the surrogate. Needs the C
   library only.

   model.h (generated) holds sizes, scaling, start values, weights, and the network as C functions.

   Time starts at the last given row. The rows up to there are the parameters "initial[i].<column>", of the controls
   alone where FROM_CONTROLS says that the outputs of that row follow from them (network_first_row). Every step of STEP
   seconds gives the next row. The control of that row is the input set before the step, carried on by its first
   derivative where the environment gives one.

   With KNOTS > 0 there are outputs for the lower and upper edges of a band, factor (spread + growth(row)) around them.
   The rows up to the start are given: there the edges lie on the outputs.

   Functions that can fail return an error message, or NULL. */

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

#define COLUMNS (CONTROLS + PREDICTED)
#if FROM_CONTROLS
#define GIVEN CONTROLS
#else
#define GIVEN COLUMNS
#endif
/* Value references: inputs, outputs, initial rows, time, lower and upper edges. */
#define FIRST_OUTPUT CONTROLS
#define FIRST_INITIAL COLUMNS
#define TIME_REFERENCE (COLUMNS + IN_LEN * GIVEN)
#define FIRST_EDGE (TIME_REFERENCE + 1)
#define STEP_TOLERANCE 1e-6
#define MAX_STEPS 1e9

typedef enum { INSTANTIATED, INITIALIZING, STEPPING, TERMINATED } Phase;

/* Everything that changes during a simulation: saving and restoring it is one copy. */
typedef struct {
    Phase phase;
    double time;
    double controls[CONTROLS], derivatives[CONTROLS], predicted[PREDICTED], initial[IN_LEN * GIVEN];
    double edges[2 * PREDICTED], rows; /* lower, then upper; rows predicted so far */
    float network[STATE_SIZE];         /* the state of the network */
} State;

typedef struct {
    State state;
    float work[WORKSPACE];
} Slave;

static void set_start_values(State *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < IN_LEN * GIVEN; i++)
        s->initial[i] = start_values[i];
    for (int i = 0; i < CONTROLS; i++)
        s->controls[i] = start_values[(IN_LEN - 1) * GIVEN + i];
}

static float standardised(double value, int column)
{
    return ((float)(value - offset[column]) - mean[column]) / divisor[column];
}

/* Standardised output of the network -> the output of the slave. */
static double restored(const float *row, int j)
{
    return (double)(row[j] * output_scale[CONTROLS + j] + output_mean[CONTROLS + j]) + offset[CONTROLS + j];
}

/* A value of the given rows; a parameter has one value in all of them. */
static double given(const State *s, int t, int i)
{
    return i < CONTROLS && is_parameter[i] ? s->controls[i] : s->initial[t * GIVEN + i];
}

/* The given rows, standardised, and the outputs of the last of them. */
static void given_rows(const State *s, float *past, double *predicted)
{
#if FROM_CONTROLS
    float work[FIRST_ROW_WORKSPACE];
    for (int t = 0; t < IN_LEN; t++) {
        float *row = past + t * COLUMNS;
        for (int i = 0; i < CONTROLS; i++)
            row[i] = standardised(given(s, t, i), i);
        network_first_row(row, row + CONTROLS, work);
    }
    for (int j = 0; j < PREDICTED; j++)
        predicted[j] = restored(past + (IN_LEN - 1) * COLUMNS + CONTROLS, j);
#else
    for (int i = 0; i < IN_LEN * COLUMNS; i++)
        past[i] = standardised(given(s, i / COLUMNS, i % COLUMNS), i % COLUMNS);
    for (int j = 0; j < PREDICTED; j++)
        predicted[j] = s->initial[(IN_LEN - 1) * COLUMNS + CONTROLS + j];
#endif
}

static void set_edges(State *s, int j, double half)
{
    s->edges[j] = s->predicted[j] - half;
    s->edges[PREDICTED + j] = s->predicted[j] + half;
}

#if KNOTS
/* Half-width of the band of output j in the next row; growth is linear between the knots, and held outside of them. */
static double half_width(double row, float deviation, int j)
{
    const double at = fmin(fmax(row, band_knots[0]), band_knots[KNOTS - 1]);
    int left = 0;
    while (left < KNOTS - 2 && at > band_knots[left + 1])
        left++;
    const int right = left < KNOTS - 1 ? left + 1 : left;
    const double from = band_growth[left * PREDICTED + j], to = band_growth[right * PREDICTED + j];
    const double share = right > left ? (at - band_knots[left]) / (band_knots[right] - band_knots[left]) : 0;
    return band_factor[j] * (deviation * fabs(output_scale[CONTROLS + j]) + from + share * (to - from));
}
#endif

static const char *end_initialization(Slave *m)
{
    State *s = &m->state;
    float past[IN_LEN * COLUMNS];
    if (s->phase != INITIALIZING)
        return "the end of an initialization that was not begun";
    given_rows(s, past, s->predicted);
    for (int j = 0; j < PREDICTED; j++)
        set_edges(s, j, 0);
    network_encode(past, s->network, m->work);
    s->phase = STEPPING;
    return NULL;
}

static void advance(Slave *m, const double *controls)
{
    State *s = &m->state;
    float control[CONTROLS], row[PREDICTED], next[STATE_SIZE];
    for (int i = 0; i < CONTROLS; i++)
        control[i] = standardised(controls[i], i);
#if KNOTS
    float deviation[PREDICTED];
    network_advance(s->network, control, next, row, deviation, m->work);
#else
    network_advance(s->network, control, next, row, m->work);
#endif
    memcpy(s->network, next, sizeof next);
    for (int j = 0; j < PREDICTED; j++)
        s->predicted[j] = restored(row, j);
#if KNOTS
    for (int j = 0; j < PREDICTED; j++)
        set_edges(s, j, half_width(s->rows, deviation[j], j));
    s->rows++;
#endif
}

static const char *do_step(Slave *m, double time, double step)
{
    State *s = &m->state;
    const double count = floor(step / STEP + 0.5);
    if (s->phase != STEPPING)
        return "a step before the end of the initialization, or after the end of the simulation";
    /* Written so that NaN is refused too. */
    if (!(fabs(time - s->time) <= STEP_TOLERANCE * STEP + 1e-12 * fabs(time)))
        return "the step does not begin at the time that the last one ended at";
    if (!(count >= 1 && count <= MAX_STEPS && fabs(step - count * STEP) <= STEP_TOLERANCE * STEP))
        return "the step must be a whole number of steps of " STEP_TEXT " s";
    for (int i = 1; i <= (int)count; i++) {
        double controls[CONTROLS];
        for (int j = 0; j < CONTROLS; j++)
            controls[j] = s->controls[j] + i * STEP * s->derivatives[j];
        advance(m, controls);
    }
    s->time = time + step;
    memset(s->derivatives, 0, sizeof s->derivatives);
    return NULL;
}

/* An output, or an edge of its band: before the first step the last given row. */
static double output(const State *s, const double *stepped, unsigned place)
{
    float past[IN_LEN * COLUMNS];
    double predicted[PREDICTED];
    if (s->phase >= STEPPING)
        return stepped[place];
    given_rows(s, past, predicted);
    return predicted[place % PREDICTED];
}

static const char *get_value(const State *s, unsigned reference, double *value)
{
    if (reference < FIRST_OUTPUT)
        *value = s->controls[reference];
    else if (reference < FIRST_INITIAL)
        *value = output(s, s->predicted, reference - FIRST_OUTPUT);
    else if (KNOTS && reference >= FIRST_EDGE && reference < FIRST_EDGE + 2 * PREDICTED)
        *value = output(s, s->edges, reference - FIRST_EDGE);
    else if (reference < TIME_REFERENCE)
        *value = s->initial[reference - FIRST_INITIAL];
    else if (reference == TIME_REFERENCE)
        *value = s->time;
    else
        return "there is no variable of this value reference";
    return NULL;
}

static const char *set_value(State *s, unsigned reference, double value)
{
    if (!isfinite(value))
        return "only finite numbers can be set";
    if (reference < FIRST_OUTPUT && (!is_parameter[reference] || s->phase < STEPPING))
        s->controls[reference] = value;
    else if (reference >= FIRST_INITIAL && reference < TIME_REFERENCE && s->phase < STEPPING)
        s->initial[reference - FIRST_INITIAL] = value;
    else
        return "only inputs, and before the end of the initialization parameters and initial rows, can be set";
    return NULL;
}

static char *copy_text(const char *text)
{
    char *copy = text ? malloc(strlen(text) + 1) : NULL;
    return copy ? strcpy(copy, text) : NULL;
}

/* A copy of the state in memory of its own, or in that of an earlier copy. */
static const char *copy_state(const void *from, void **to)
{
    if (!*to && !(*to = malloc(sizeof(State))))
        return "no memory";
    memcpy(*to, from, sizeof(State));
    return NULL;
}
