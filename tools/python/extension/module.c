/* SPDX-License-Identifier: MIT */
/* module.c: the module, its functions, and what all files use. */
#include "module.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

PyObject *raise_error(struct module_state *state, int error, const struct promcb_message *message)
{
	const char *text = message && message->text[0] ? message->text : promcb_strerror(error);
	PyObject *exception;

	if (error == -EINVAL) {
		PyErr_SetString(PyExc_ValueError, text);
		return NULL;
	}
	if (error == -ENOMEM)
		return PyErr_NoMemory();
	exception = PyObject_CallFunction(state->error, "is", -error, text);
	if (exception) {
		PyErr_SetObject(state->error, exception);
		Py_DECREF(exception);
	}
	return NULL;
}

PyObject *dict_get(PyObject *dict, PyObject *key)
{
#if PY_VERSION_HEX >= 0x030d0000 && !defined(Py_LIMITED_API)
	PyObject *found = NULL;

	(void)PyDict_GetItemRef(dict, key, &found);
	return found;
#else
	PyObject *found = PyDict_GetItemWithError(dict, key);

	Py_XINCREF(found);
	return found;
#endif
}

const char *utf8_of(PyObject *text, Py_ssize_t *length, PyObject **keeper)
{
	const char *bytes;

	if (!PyUnicode_Check(text)) {
		*keeper = NULL;
		PyErr_Format(PyExc_TypeError, "a str is expected, not %R", (PyObject *)Py_TYPE(text));
		return NULL;
	}
	bytes = PyUnicode_AsUTF8AndSize(text, length);
	if (bytes) {
		Py_INCREF(text);
		*keeper = text;
		return bytes;
	}
	PyErr_Clear();
	*keeper = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
	if (!*keeper)
		return NULL;
	*length = PyBytes_Size(*keeper);
	return PyBytes_AsString(*keeper);
}

int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base, PyTypeObject **out)
{
	const char *name = strrchr(spec->name, '.');

	*out = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, (PyObject *)base);
	if (!*out)
		return -1;
	Py_INCREF(*out);
	if (PyModule_AddObject(module, name + 1, (PyObject *)*out) < 0) {
		Py_DECREF(*out);
		return -1;
	}
	return 0;
}

void free_object(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

	release(self);
	Py_DECREF(type);
}

int truth_of(PyObject *object)
{
	int truth;

	if (object == Py_True)
		return 1;
	if (object == Py_False)
		return 0;
	truth = PyObject_IsTrue(object);
	if (truth < 0)
		PyErr_Clear();
	return truth > 0;
}

int parse_any_call(PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t first, double *seconds,
		   int *is_success)
{
	Py_ssize_t named = names ? PyTuple_Size(names) : 0;
	PyObject *value = count > first ? args[first] : NULL, *success = count > first + 1 ? args[first + 1] : NULL;

	if (count > first + 2) {
		PyErr_Format(PyExc_TypeError, "at most %zd arguments are taken, and %zd were given", first + 2, count);
		return 0;
	}
	for (Py_ssize_t i = 0; i < named; i++) {
		PyObject *name = PyTuple_GetItem(names, i);
		PyObject **into = PyUnicode_CompareWithASCIIString(name, "success") == 0   ? &success
				  : PyUnicode_CompareWithASCIIString(name, "seconds") == 0 ? &value
											   : NULL;

		if (!into || *into) {
			PyErr_Format(PyExc_TypeError,
				     into ? "the argument %R is given twice" : "there is no argument %R", name);
			return 0;
		}
		*into = args[count + i];
	}
	if (!value) {
		PyErr_SetString(PyExc_TypeError, "the seconds are missing");
		return 0;
	}
	*seconds = PyFloat_AsDouble(value);
	if (*seconds == -1.0 && PyErr_Occurred()) {
		/* A number that no double holds is no latency; what is no number is a mistake of the program. */
		if (!PyErr_ExceptionMatches(PyExc_OverflowError))
			return 0;
		PyErr_Clear();
		*seconds = (double)INFINITY;
	}
	*is_success = success ? truth_of(success) : 1;
	return 1;
}

enum promcb_log_level level_of(PyObject *level)
{
	Py_ssize_t length;
	const char *text;

	if (PyLong_Check(level)) {
		/* As logging has them: 10, 20, 30, 40, 50. */
		long number = PyLong_AsLong(level);

		PyErr_Clear();
		return number < 20   ? PROMCB_LOG_DEBUG
		       : number < 30 ? PROMCB_LOG_INFO
		       : number < 40 ? PROMCB_LOG_WARNING
				     : PROMCB_LOG_ERROR;
	}
	text = PyUnicode_Check(level) ? PyUnicode_AsUTF8AndSize(level, &length) : NULL;
	if (!text) {
		PyErr_Clear();
		return PROMCB_LOG_ERROR;
	}
	for (int i = 0; i < PROMCB_LOG_LEVELS; i++)
		if (strcasecmp(text, promcb_log_level_name((enum promcb_log_level)i)) == 0)
			return (enum promcb_log_level)i;
	return strcasecmp(text, "warn") == 0 ? PROMCB_LOG_WARNING : PROMCB_LOG_ERROR;
}

/* -- Functions ----------------------------------------------------------------------------------------------------- */

static PyObject *module_default(PyObject *module, PyObject *Py_UNUSED(nothing))
{
	return segment_default((struct module_state *)PyModule_GetState(module));
}

static PyObject *module_set_default(PyObject *module, PyObject *segment)
{
	struct module_state *state = (struct module_state *)PyModule_GetState(module);
	PyObject *before = state->default_segment;

	if (segment != Py_None && !PyObject_TypeCheck(segment, state->segment_type)) {
		PyErr_SetString(PyExc_TypeError, "a promcb.Segment or None is expected");
		return NULL;
	}
	Py_INCREF(segment);
	state->default_segment = segment == Py_None ? NULL : segment;
	if (segment == Py_None)
		Py_DECREF(segment);
	if (!before)
		Py_RETURN_NONE;
	return before;
}

static PyObject *module_record(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	struct segment *segment = (struct segment *)segment_default((struct module_state *)PyModule_GetState(module));
	PyObject *nothing = segment ? segment_record(segment, args, count, names) : NULL;

	Py_XDECREF(segment);
	return nothing;
}

static PyObject *module_component(PyObject *module, PyObject *name)
{
	struct segment *segment = (struct segment *)segment_default((struct module_state *)PyModule_GetState(module));
	PyObject *component = segment ? segment_component(segment, name, 1) : NULL;

	Py_XDECREF(segment);
	return component;
}

static PyObject *module_start(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
	return PyLong_FromUnsignedLongLong(promcb_start());
}

static PyObject *module_elapsed(PyObject *Py_UNUSED(module), PyObject *token)
{
	unsigned long long start = PyLong_AsUnsignedLongLong(token);

	if (PyErr_Occurred())
		return NULL;
	return PyFloat_FromDouble((double)promcb_elapsed_ns(start) / 1e9);
}

static PyObject *module_content_type(PyObject *Py_UNUSED(module), PyObject *name)
{
	enum promcb_format format;
	Py_ssize_t length;
	PyObject *keeper, *type = NULL;
	const char *text = utf8_of(name, &length, &keeper);

	if (text && promcb_format_parse(text, &format) < 0)
		PyErr_Format(PyExc_ValueError, "unknown format %R", name);
	else if (text)
		type = PyUnicode_FromString(promcb_format_content_type(format));
	Py_XDECREF(keeper);
	return type;
}

static PyMethodDef module_methods[] = {
	{"default", module_default, METH_NOARGS,
	 "default()\n--\n\n"
	 "The segment that the environment's PROMCB_SEGMENT names, else \"/promcb\", opened at the first call.\n"
	 "Never raises: where it cannot be opened, what is recorded is dropped, and its error says why."},
	{"record", (PyCFunction)(void (*)(void))module_record, METH_FASTCALL | METH_KEYWORDS,
	 "record(name, seconds, success=True)\n--\n\n"
	 "Records one finished call of a component of the default segment. Seconds that are negative, NaN or\n"
	 "infinite are counted as rejected. Raises TypeError where seconds are no number."},
	{"set_default", module_set_default, METH_O,
	 "set_default(segment)\n--\n\n"
	 "Makes another segment the default; None: as if none had been asked for. Returns the one before, or None."},
	{"component", module_component, METH_O,
	 "component(name)\n--\n\n"
	 "The component of that name in the default segment: keep it, and record by it. Use fixed names: a route, not\n"
	 "a URL. Raises ValueError where a component cannot be called so: 1 to 127 bytes without control characters."},
	{"start", module_start, METH_NOARGS,
	 "start()\n--\n\nStarts the clock of a call: a token for Component.stop() in the same process."},
	{"elapsed", module_elapsed, METH_O, "elapsed(token)\n--\n\nSeconds since start() gave the token."},
	{"content_type", module_content_type, METH_O,
	 "content_type(format)\n--\n\nThe Content-Type of text, openmetrics, protobuf, json, metrics or health."},
	{NULL, NULL, 0, NULL},
};

/* -- The module ---------------------------------------------------------------------------------------------------- */

static int module_exec(PyObject *module)
{
	struct module_state *state = (struct module_state *)PyModule_GetState(module);

	state->error = PyErr_NewExceptionWithDoc(
		"promcb.Error", "A segment cannot be opened or read: errno and a sentence that says why.",
		PyExc_OSError, NULL);
	if (!state->error)
		return -1;
	Py_INCREF(state->error);
	if (PyModule_AddObject(module, "Error", state->error) < 0) {
		Py_DECREF(state->error);
		return -1;
	}
	if (PyModule_AddStringConstant(module, "version", promcb_version()) < 0)
		return -1;
	return add_component_types(module, state) < 0 || add_segment_type(module, state) < 0 ||
			       add_breaker_types(module, state) < 0 || add_metric_types(module, state) < 0 ||
			       add_snapshot_type(module, state) < 0
		       ? -1
		       : 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct module_state *state = (struct module_state *)PyModule_GetState(module);

	Py_VISIT(state->error);
	Py_VISIT(state->default_segment);
	Py_VISIT(state->segment_type);
	Py_VISIT(state->component_type);
	Py_VISIT(state->call_type);
	Py_VISIT(state->snapshot_type);
	Py_VISIT(state->breaker_type);
	Py_VISIT(state->breaker_call_type);
	Py_VISIT(state->counter_type);
	Py_VISIT(state->level_type);
	Py_VISIT(state->gauge_type);
	Py_VISIT(state->histogram_type);
	return 0;
}

static int module_clear(PyObject *module)
{
	struct module_state *state = (struct module_state *)PyModule_GetState(module);

	Py_CLEAR(state->error);
	Py_CLEAR(state->default_segment);
	Py_CLEAR(state->segment_type);
	Py_CLEAR(state->component_type);
	Py_CLEAR(state->call_type);
	Py_CLEAR(state->snapshot_type);
	Py_CLEAR(state->breaker_type);
	Py_CLEAR(state->breaker_call_type);
	Py_CLEAR(state->counter_type);
	Py_CLEAR(state->level_type);
	Py_CLEAR(state->gauge_type);
	Py_CLEAR(state->histogram_type);
	return 0;
}

static void module_free(void *module)
{
	module_clear((PyObject *)module);
}

/*
 * From 3.12 on a module says that each interpreter may have it with a lock of its own, by a slot that older ones
 * refuse. What is built by the headers of an older one has no name for it, so it is put in as the number that it is.
 */
enum { SLOT_MULTIPLE_INTERPRETERS = 3, OWN_GIL_SUPPORTED = 2 };

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, (void *)module_exec},
#ifdef Py_GIL_DISABLED
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
	{0, NULL},
};

static void add_interpreters_slot(void)
{
	PyModuleDef_Slot *slot = module_slots;
	int major = 0, minor = 0;

	if (sscanf(Py_GetVersion(), "%d.%d", &major, &minor) != 2 || major != 3 || minor < 12)
		return;
	while (slot->slot != 0) {
		if (slot->slot == SLOT_MULTIPLE_INTERPRETERS)
			return;
		slot++;
	}
	*slot = (PyModuleDef_Slot){SLOT_MULTIPLE_INTERPRETERS, (void *)(uintptr_t)OWN_GIL_SUPPORTED};
}

static struct PyModuleDef module_definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "promcb._promcb",
	.m_doc = "The parts of promcb that are made in C.",
	.m_size = sizeof(struct module_state),
	.m_methods = module_methods,
	.m_slots = module_slots,
	.m_traverse = module_traverse,
	.m_clear = module_clear,
	.m_free = module_free,
};

/* PyMODINIT_FUNC of 3.8 leaves the symbol hidden where all are. */
__attribute__((visibility("default"))) PyObject *PyInit__promcb(void);

PyObject *PyInit__promcb(void)
{
	add_interpreters_slot();
	return PyModuleDef_Init(&module_definition);
}
