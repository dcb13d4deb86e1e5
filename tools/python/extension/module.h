/* SPDX-License-Identifier: MIT */
/*
 * module.h: what the files of the extension module promcb._promcb share.
 *
 * module.c makes the module and its functions, segment.c a segment and its components by name, component.c components
 * and timed calls, breaker.c circuit breakers, metric.c counters, levels, gauges and histograms with labels, reading.c
 * snapshots.
 *
 * Built for the limited API of CPython 3.10, so that one binary serves all later versions; for 3.9, and for builds
 * without the global lock, with the full API. All types are heap types, and every object of Python is reached from the
 * module's state: interpreters of one process share nothing here. What they share lies in the library, which is made
 * for threads.
 *
 * Recording keeps the interpreter's lock: it takes some nanoseconds and waits for nobody. Opening and reading let it
 * go.
 */
#ifndef PROMCB_PYTHON_MODULE_H
#define PROMCB_PYTHON_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <promcb/metric.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

/* Names that a segment keeps components for; a program that makes up more is served without. */
#define PROMCB_PYTHON_NAMES_MAX 4096

#ifndef Py_TPFLAGS_DISALLOW_INSTANTIATION
#define Py_TPFLAGS_DISALLOW_INSTANTIATION 0
#endif

struct module_state {
	PyObject *error;              /* promcb.Error */
	PyObject *default_segment;    /* once it was asked for */
	PyTypeObject *segment_type, *component_type, *call_type, *snapshot_type;
	PyTypeObject *breaker_type, *breaker_call_type;
	PyTypeObject *counter_type, *level_type, *gauge_type, *histogram_type;
};

struct segment {
	PyObject_HEAD struct module_state *state;
	struct promcb_session *session; /* NULL: could not be opened, or was closed: everything is dropped */
	PyObject *name;                 /* str: what the library was given */
	PyObject *error;                /* str: why it could not be opened; or None */
	PyObject *components;           /* dict: name -> Component */
};

struct component {
	PyObject_HEAD struct promcb_component *handle;
	struct segment *segment;
	PyObject *name;
};

int add_segment_type(PyObject *module, struct module_state *state);
int add_component_types(PyObject *module, struct module_state *state);
int add_breaker_types(PyObject *module, struct module_state *state);
int add_metric_types(PyObject *module, struct module_state *state);
int add_snapshot_type(PyObject *module, struct module_state *state);

/* The segment that PROMCB_SEGMENT names, else "/promcb": a new reference. Never fails because of the segment. */
PyObject *segment_default(struct module_state *state);

/* A component of a segment, a new reference. is_strict: names that are against the rules raise ValueError. */
PyObject *segment_component(struct segment *segment, PyObject *name, int is_strict);

/* The method record(name, seconds, success=True). */
PyObject *segment_record(struct segment *segment, PyObject *const *args, Py_ssize_t count, PyObject *names);

PyObject *component_new(struct module_state *state, struct segment *segment, PyObject *name,
			struct promcb_component *handle);

/* Takes a snapshot of the segment of that name; a new reference. */
PyObject *snapshot_take(struct module_state *state, PyObject *name, PyObject *args, PyObject *keywords);

/* -- Helpers ------------------------------------------------------------------------------------------------------- */

/* Sets the exception that belongs to an error: ValueError where the arguments were wrong, else promcb.Error. */
PyObject *raise_error(struct module_state *state, int error, const struct promcb_message *message);

/*
 * A value of a dict: a new reference, or NULL, without an exception where there is none.
 */
PyObject *dict_get(PyObject *dict, PyObject *key);

/*
 * A str as UTF-8, which lives as long as *keeper. What cannot be encoded (lone surrogates) is escaped. Returns NULL
 * with an exception set.
 */
const char *utf8_of(PyObject *text, Py_ssize_t *length, PyObject **keeper);

/* Adds a type to the module, and keeps it. */
int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base, PyTypeObject **out);

/* The state of the module that a type, or one that it is made on, is of; NULL with an exception: of none. */
struct module_state *state_of(PyTypeObject *type);

/* Frees an object of a heap type, and lets go of its type. */
void free_object(PyObject *self);

/* Whether a call was a success: an object that has no truth says no. */
int truth_of(PyObject *object);

/* (seconds, success=True) of a fast call, from the argument of number first on. Returns whether they are right. */
int parse_any_call(PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t first, double *seconds,
		   int *is_success);

/* The same; the common case is a float, and nothing else or a bool behind it. */
static inline int parse_call(PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t first,
			     double *seconds, int *is_success)
{
	if (names || count <= first || count > first + 2 || !PyFloat_CheckExact(args[first]))
		return parse_any_call(args, count, names, first, seconds, is_success);
	*seconds = PyFloat_AsDouble(args[first]);
	*is_success = count == first + 1 || args[first + 1] == Py_True || truth_of(args[first + 1]);
	return 1;
}

/* Records seconds, which may be anything. */
void record_seconds(struct component *component, double seconds, int is_success);

/* "info" or an int to a level; one that is none counts as an error. */
enum promcb_log_level level_of(PyObject *level);

#endif
