"""A small plant as an FMU, compiled for a test: x' = (on gain u - x) / 2 s from x = bias, y = x^2.

Inputs u (0 to 1) and on (Boolean), parameters gain (0.5 to 2) and bias. With ``fault`` it does not survive a gain above
1.5: it crashes, hangs, refuses a step, or refuses it for ever: it crashes if it is called again.
"""

import re
import zipfile
from pathlib import Path

import fmpy

from surrogate_modeling.deployment.fmu.export import compile_sources

TOKEN = "{00000000-plant}"
COMMON = r"""
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <signal.h>
static int dead;
typedef struct { double u, gain, bias, x, time; int on, started; } Plant;
enum { U, ON, GAIN, X, Y, BIAS, DER };
static void *make(void) { if (dead) raise(SIGSEGV); Plant *p = calloc(1, sizeof(Plant)); p->gain = 1.0; return p; }
static double target(const Plant *p) { return p->on ? p->gain * p->u : 0.0; }
static double derivative(const Plant *p) { return (target(p) - p->x) / 2.0; }
static void advance(Plant *p, double h) { p->x = target(p) + (p->x - target(p)) * exp(-h / 2.0); }
static int refused(const Plant *p) {
    if (p->gain <= 1.5) return 0;
    if (FAULT == 1) { puts("about to crash"); fflush(stdout); raise(SIGSEGV); }
    if (FAULT == 2) for (;;) {}
    dead = FAULT == 5;
    return FAULT == 3 ? 3 : dead ? 4 : 0;
}
static double *real(Plant *p, unsigned vr) {
    switch (vr) {
    case U: return &p->u;
    case GAIN: return &p->gain;
    case BIAS: return &p->bias;
    case X: return &p->x;
    default: return NULL;
    }
}
static double get(Plant *p, unsigned vr) { return vr == Y ? p->x * p->x : vr == DER ? derivative(p) : *real(p, vr); }
"""
VERSION_2 = r"""
#include "fmi2FunctionTypes.h"
#define P ((Plant *)c)
fmi2Component fmi2Instantiate(fmi2String n, fmi2Type t, fmi2String g, fmi2String r, const fmi2CallbackFunctions *f, fmi2Boolean v, fmi2Boolean l)
{ return make(); }
void fmi2FreeInstance(fmi2Component c) { if (dead) raise(SIGSEGV); free(c); }
fmi2Status fmi2SetupExperiment(fmi2Component c, fmi2Boolean d, fmi2Real t, fmi2Real s, fmi2Boolean e, fmi2Real z) { return fmi2OK; }
fmi2Status fmi2EnterInitializationMode(fmi2Component c) { return fmi2OK; }
fmi2Status fmi2ExitInitializationMode(fmi2Component c) { P->x = P->bias; return fmi2OK; }
fmi2Status fmi2Terminate(fmi2Component c) { return fmi2OK; }
fmi2Status fmi2SetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Real v[])
{ for (size_t i = 0; i < n; i++) *real(P, vr[i]) = v[i]; return fmi2OK; }
fmi2Status fmi2GetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Real v[])
{ for (size_t i = 0; i < n; i++) v[i] = get(P, vr[i]); return fmi2OK; }
fmi2Status fmi2SetBoolean(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Boolean v[])
{ for (size_t i = 0; i < n; i++) P->on = v[i]; return fmi2OK; }
fmi2Status fmi2DoStep(fmi2Component c, fmi2Real t, fmi2Real h, fmi2Boolean n) { int bad = refused(P); if (bad) return bad; advance(P, h); return fmi2OK; }
fmi2Status fmi2EnterEventMode(fmi2Component c) { return fmi2OK; }
fmi2Status fmi2NewDiscreteStates(fmi2Component c, fmi2EventInfo *e) { *e = (fmi2EventInfo){0}; return fmi2OK; }
fmi2Status fmi2EnterContinuousTimeMode(fmi2Component c) { return fmi2OK; }
fmi2Status fmi2CompletedIntegratorStep(fmi2Component c, fmi2Boolean n, fmi2Boolean *e, fmi2Boolean *t) { *e = *t = 0; return fmi2OK; }
fmi2Status fmi2SetTime(fmi2Component c, fmi2Real t) { return fmi2OK; }
fmi2Status fmi2SetContinuousStates(fmi2Component c, const fmi2Real x[], size_t n) { P->x = x[0]; return fmi2OK; }
fmi2Status fmi2GetContinuousStates(fmi2Component c, fmi2Real x[], size_t n) { x[0] = P->x; return fmi2OK; }
fmi2Status fmi2GetDerivatives(fmi2Component c, fmi2Real d[], size_t n) { int bad = refused(P); if (bad) return bad; d[0] = derivative(P); return fmi2OK; }
fmi2Status fmi2GetEventIndicators(fmi2Component c, fmi2Real z[], size_t n) { return fmi2OK; }
fmi2Status fmi2GetNominalsOfContinuousStates(fmi2Component c, fmi2Real x[], size_t n) { x[0] = 1.0; return fmi2OK; }
"""
VERSION_3 = r"""
#include "fmi3FunctionTypes.h"
#define P ((Plant *)c)
fmi3Instance fmi3InstantiateCoSimulation(fmi3String n, fmi3String t, fmi3String r, fmi3Boolean v, fmi3Boolean l, fmi3Boolean e, fmi3Boolean a,
    const fmi3ValueReference q[], size_t m, fmi3InstanceEnvironment i, fmi3LogMessageCallback g, fmi3IntermediateUpdateCallback u) { return make(); }
fmi3Instance fmi3InstantiateModelExchange(fmi3String n, fmi3String t, fmi3String r, fmi3Boolean v, fmi3Boolean l,
    fmi3InstanceEnvironment i, fmi3LogMessageCallback g) { return make(); }
void fmi3FreeInstance(fmi3Instance c) { if (dead) raise(SIGSEGV); free(c); }
fmi3Status fmi3EnterInitializationMode(fmi3Instance c, fmi3Boolean d, fmi3Float64 t, fmi3Float64 s, fmi3Boolean e, fmi3Float64 z) { return fmi3OK; }
fmi3Status fmi3ExitInitializationMode(fmi3Instance c) { P->x = P->bias; return fmi3OK; }
fmi3Status fmi3Terminate(fmi3Instance c) { return fmi3OK; }
fmi3Status fmi3SetFloat64(fmi3Instance c, const fmi3ValueReference vr[], size_t n, const fmi3Float64 v[], size_t m)
{ for (size_t i = 0; i < n; i++) *real(P, vr[i]) = v[i]; return fmi3OK; }
fmi3Status fmi3GetFloat64(fmi3Instance c, const fmi3ValueReference vr[], size_t n, fmi3Float64 v[], size_t m)
{ for (size_t i = 0; i < n; i++) v[i] = get(P, vr[i]); return fmi3OK; }
fmi3Status fmi3SetBoolean(fmi3Instance c, const fmi3ValueReference vr[], size_t n, const fmi3Boolean v[], size_t m)
{ for (size_t i = 0; i < n; i++) P->on = v[i]; return fmi3OK; }
fmi3Status fmi3DoStep(fmi3Instance c, fmi3Float64 t, fmi3Float64 h, fmi3Boolean n, fmi3Boolean *e, fmi3Boolean *q, fmi3Boolean *r, fmi3Float64 *last)
{ *e = *r = 0; *q = 0; *last = t + h; if (FAULT == 4 && t >= 1.0) { *q = 1; *last = t; return fmi3OK; } int bad = refused(P); if (bad) return bad; advance(P, h); return fmi3OK; }
fmi3Status fmi3EnterEventMode(fmi3Instance c) { return fmi3OK; }
fmi3Status fmi3UpdateDiscreteStates(fmi3Instance c, fmi3Boolean *a, fmi3Boolean *b, fmi3Boolean *d, fmi3Boolean *e, fmi3Boolean *f, fmi3Float64 *t)
{ *a = *b = *d = *e = *f = 0; *t = 0; return fmi3OK; }
fmi3Status fmi3EnterContinuousTimeMode(fmi3Instance c) { return fmi3OK; }
fmi3Status fmi3CompletedIntegratorStep(fmi3Instance c, fmi3Boolean n, fmi3Boolean *e, fmi3Boolean *t) { *e = *t = 0; return fmi3OK; }
fmi3Status fmi3SetTime(fmi3Instance c, fmi3Float64 t) { return fmi3OK; }
fmi3Status fmi3SetContinuousStates(fmi3Instance c, const fmi3Float64 x[], size_t n) { P->x = x[0]; return fmi3OK; }
fmi3Status fmi3GetContinuousStates(fmi3Instance c, fmi3Float64 x[], size_t n) { x[0] = P->x; return fmi3OK; }
fmi3Status fmi3GetContinuousStateDerivatives(fmi3Instance c, fmi3Float64 d[], size_t n) { int bad = refused(P); if (bad) return bad; d[0] = derivative(P); return fmi3OK; }
fmi3Status fmi3GetEventIndicators(fmi3Instance c, fmi3Float64 z[], size_t n) { return fmi3OK; }
fmi3Status fmi3GetNominalsOfContinuousStates(fmi3Instance c, fmi3Float64 x[], size_t n) { x[0] = 1.0; return fmi3OK; }
"""
INTERFACES = {"co_simulation": "CoSimulation", "model_exchange": "ModelExchange"}
# name, type, attributes of the variable, attributes of its type; the place is the value reference.
VARIABLES = [
    ("u", "Real", 'causality="input" variability="continuous" description="opening of the valve"', 'start="0" min="0" max="1" unit="%"'),
    ("on", "Boolean", 'causality="input" variability="discrete"', 'start="false"'),
    ("gain", "Real", 'causality="parameter" variability="fixed" initial="exact"', 'start="1" min="0.5" max="2"'),
    ("x", "Real", 'causality="output" variability="continuous" initial="calculated"', 'unit="K"'),
    ("y, squared", "Real", 'causality="output" variability="continuous" initial="calculated"', ""),
    ("bias", "Real", 'causality="parameter" variability="fixed" initial="exact"', 'start="0"'),
    ("der(x)", "Real", 'causality="local" variability="continuous" initial="calculated"', 'derivative="4"'),
]  # fmt: skip
FAULTS = {"none": 0, "crash": 1, "hang": 2, "error": 3, "end": 4, "fatal": 5}


def describe(version: int, kinds: tuple[str, ...]) -> str:
    """The model description."""
    interfaces = "".join(f'<{INTERFACES[kind]} modelIdentifier="plant"/>' for kind in sorted(kinds, reverse=True))
    if version == 2:
        variables = "".join(
            f'<ScalarVariable name="{name}" valueReference="{i}" {outer}><{kind} {inner}/></ScalarVariable>'
            for i, (name, kind, outer, inner) in enumerate(VARIABLES)
        )
        unknowns = '<Unknown index="4"/><Unknown index="5"/>'
        structure = f'<Outputs>{unknowns}</Outputs><Derivatives><Unknown index="7"/></Derivatives><InitialUnknowns>{unknowns}<Unknown index="7"/></InitialUnknowns>'
        head = f'fmiVersion="2.0" modelName="plant" guid="{TOKEN}" numberOfEventIndicators="0"'
    else:
        variables = "".join(
            f'<{kind.replace("Real", "Float64")} name="{name}" valueReference="{i}" {outer} {inner.replace("4", "3")}/>'
            for i, (name, kind, outer, inner) in enumerate(VARIABLES)
        )
        variables += '<Float64 name="time" valueReference="99" causality="independent" variability="continuous"/>'
        structure = (
            '<Output valueReference="3"/><Output valueReference="4"/><ContinuousStateDerivative valueReference="6"/>'
        )
        head = f'fmiVersion="3.0" modelName="plant" instantiationToken="{TOKEN}"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><fmiModelDescription {head} generationTool="a test">{interfaces}'
        f'<UnitDefinitions><Unit name="K"/><Unit name="%"/></UnitDefinitions>'
        f'<DefaultExperiment stepSize="0.1"/>'
        f"<ModelVariables>{variables}</ModelVariables><ModelStructure>{structure}</ModelStructure></fmiModelDescription>"
    )


def build_fmu(
    path: Path, version: int = 2, kinds: tuple[str, ...] = ("co_simulation", "model_exchange"), fault: str = "none"
) -> Path:
    """Compile and zip the plant."""
    headers = {file.name: file.read_text() for file in (Path(fmpy.__file__).parent / "c-code").glob(f"fmi{version}*.h")}
    own = VERSION_2 if version == 2 else VERSION_3
    names = re.findall(rf"TYPE\s+(fmi{version}\w+);", headers[f"fmi{version}Functions.h"])
    # FMPy wants every function of the standard.
    others = "".join(f"int {name}(void) {{ return 3; }}\n" for name in names if f" {name}(" not in own)
    visible = "#pragma GCC visibility push(default)\n"
    source = f"#define FAULT {FAULTS[fault]}\n{COMMON}{visible}{own}{others}"
    binary = compile_sources({**headers, "plant.c": source}, "plant.c", "plant")
    platform = fmpy.platform if version == 2 else fmpy.platform_tuple
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("modelDescription.xml", describe(version, kinds))
        archive.writestr(f"binaries/{platform}/plant{fmpy.sharedLibraryExtension}", binary)
    return path
