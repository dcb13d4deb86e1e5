/* SPDX-License-Identifier: MIT */
/* component.c: components, and calls that are timed. */
#include "module.h"

#include <strings.h>

struct call {
	PyObject_HEAD struct component *component;
	PyObject *success; /* True, False, or NULL: by whether an exception passes */
	uint64_t start;
	int is_ignored;
};

PyObject *component_new(struct module_state *state, struct segment *segment, PyObject *name,
			struct promcb_component *handle)
{
	allocfunc allocate = (allocfunc)PyType_GetSlot(state->component_type, Py_tp_alloc);
	struct component *self = (struct component *)allocate(state->component_type, 0);

	if (!self)
		return NULL;
	self->handle = handle;
	Py_INCREF(segment);
	self->segment = segment;
	Py_INCREF(name);
	self->name = name;
	return (PyObject *)self;
}

void record_seconds(struct component *self, double seconds, int is_success)
{
	if (seconds >= 0 && seconds < 9e9) {
		promcb_record(self->handle, (uint64_t)(seconds * 1e9 + 0.5), is_success);
		return;
	}
	if (seconds >= 9e9 && seconds < 1e300) {
		promcb_record(self->handle, UINT64_MAX >> 1, is_success);
		return;
	}
	/* Counted as rejected. */
	promcb_call(self->segment->session, "rejected", seconds, is_success);
}

static int component_traverse(PyObject *object, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(object));
	Py_VISIT(((struct component *)object)->segment);
	return 0;
}

static void component_free(PyObject *object)
{
	struct component *self = (struct component *)object;

	PyObject_GC_UnTrack(object);
	Py_CLEAR(self->segment);
	Py_CLEAR(self->name);
	free_object(object);
}

/* -- Recording ----------------------------------------------------------------------------------------------------- */

static PyObject *component_record(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	double seconds;
	int is_success;

	if (!parse_call(args, count, names, 0, &seconds, &is_success))
		return NULL;
	record_seconds((struct component *)self, seconds, is_success);
	Py_RETURN_NONE;
}

/* (first, success=True), both by position. */
static int parse_pair(PyObject *const *args, Py_ssize_t count, uint64_t *first, int *is_success)
{
	if (count < 1 || count > 2) {
		PyErr_SetString(PyExc_TypeError, "one or two arguments are taken, by position");
		return 0;
	}
	*first = PyLong_AsUnsignedLongLong(args[0]);
	if (PyErr_Occurred()) {
		if (!PyErr_ExceptionMatches(PyExc_OverflowError))
			return 0;
		PyErr_Clear();
		*first = 0;
	}
	*is_success = count > 1 ? truth_of(args[1]) : 1;
	return 1;
}

static PyObject *component_record_ns(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
	uint64_t latency_ns;
	int is_success;

	if (!parse_pair(args, count, &latency_ns, &is_success))
		return NULL;
	promcb_record(((struct component *)self)->handle, latency_ns, is_success);
	Py_RETURN_NONE;
}

static PyObject *component_stop(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
	uint64_t start;
	int is_success;

	if (!parse_pair(args, count, &start, &is_success))
		return NULL;
	promcb_stop(((struct component *)self)->handle, start, is_success);
	Py_RETURN_NONE;
}

static PyObject *component_outcome(PyObject *self, PyObject *success)
{
	promcb_record_outcome(((struct component *)self)->handle, truth_of(success));
	Py_RETURN_NONE;
}

static PyObject *component_count_log(PyObject *self, PyObject *level)
{
	promcb_count_log(((struct component *)self)->handle, level_of(level));
	Py_RETURN_NONE;
}

static PyObject *component_reset(PyObject *self, PyObject *Py_UNUSED(nothing))
{
	struct component *component = (struct component *)self;

	return PyObject_CallMethod((PyObject *)component->segment, "reset", "(O)", component->name);
}

static PyObject *component_get_state(PyObject *self, void *Py_UNUSED(context))
{
	return PyUnicode_FromString(promcb_state_name(promcb_state(((struct component *)self)->handle)));
}

static int component_set_state(PyObject *self, PyObject *value, void *Py_UNUSED(context))
{
	const char *text = value && PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, NULL) : NULL;

	for (int i = 0; text && i < PROMCB_STATES; i++) {
		if (strcasecmp(text, promcb_state_name((enum promcb_state)i)) == 0) {
			promcb_set_state(((struct component *)self)->handle, (enum promcb_state)i);
			return 0;
		}
	}
	PyErr_SetString(PyExc_ValueError, "a state is \"closed\", \"open\" or \"half_open\"");
	return -1;
}

static PyObject *component_get_name(PyObject *self, void *Py_UNUSED(context))
{
	PyObject *name = ((struct component *)self)->name;

	Py_INCREF(name);
	return name;
}

static PyObject *component_get_segment(PyObject *self, void *Py_UNUSED(context))
{
	PyObject *segment = (PyObject *)((struct component *)self)->segment;

	Py_INCREF(segment);
	return segment;
}

static PyObject *component_time(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct component *self = (struct component *)object;
	PyTypeObject *type = self->segment->state->call_type;
	allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct call *call = (struct call *)allocate(type, 0);

	if (!call)
		return NULL;
	Py_INCREF(self);
	call->component = self;
	call->start = promcb_start();
	return (PyObject *)call;
}

static PyObject *component_repr(PyObject *self)
{
	return PyUnicode_FromFormat("promcb.Component(%R)", ((struct component *)self)->name);
}

static PyMethodDef component_methods[] = {
	{"record", (PyCFunction)(void (*)(void))component_record, METH_FASTCALL | METH_KEYWORDS,
	 "record($self, seconds, success=True)\n--\n\n"
	 "Records one finished call. Seconds that are negative, NaN or infinite are counted as rejected.\n"
	 "Raises TypeError where seconds are no number."},
	{"record_ns", (PyCFunction)(void (*)(void))component_record_ns, METH_FASTCALL,
	 "record_ns($self, nanoseconds, success=True, /)\n--\n\nThe same in whole nanoseconds."},
	{"record_outcome", component_outcome, METH_O,
	 "record_outcome($self, success, /)\n--\n\nRecords one finished call whose latency is not known."},
	{"stop", (PyCFunction)(void (*)(void))component_stop, METH_FASTCALL,
	 "stop($self, token, success=True, /)\n--\n\nRecords the call that began when start() gave the token."},
	{"time", component_time, METH_NOARGS,
	 "time($self, /)\n--\n\n"
	 "Times a call: \"with component.time():\", or \"@component.time()\" before a function, a coroutine function\n"
	 "or a generator. A call that an Exception leaves is a failure; one that is left by what is no Exception\n"
	 "(CancelledError, GeneratorExit, KeyboardInterrupt) is not recorded."},
	{"count_log", component_count_log, METH_O,
	 "count_log($self, level, /)\n--\n\nCounts a line of a log: \"debug\", \"info\", \"warning\", \"error\"."},
	{"reset", component_reset, METH_NOARGS,
	 "reset($self, /)\n--\n\nForgets what was recorded of it, in every process; its name and state stay."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef component_attributes[] = {
	{"state", component_get_state, component_set_state,
	 "The state of its circuit breaker, as any process has set it last: \"closed\", \"open\" or \"half_open\".",
	 NULL},
	{"name", component_get_name, NULL, "Its name.", NULL},
	{"segment", component_get_segment, NULL, "The segment that it is in.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot component_slots[] = {
	{Py_tp_doc, (void *)"A named thing whose calls are counted: promcb.component(name), Segment.component(name)."},
	{Py_tp_dealloc, (void *)component_free},
	{Py_tp_traverse, (void *)component_traverse},
	{Py_tp_repr, (void *)component_repr},
	{Py_tp_methods, component_methods},
	{Py_tp_getset, component_attributes},
	{0, NULL},
};

static PyType_Spec component_spec = {
	.name = "promcb.Component",
	.basicsize = sizeof(struct component),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = component_slots,
};

/* -- Timed calls --------------------------------------------------------------------------------------------------- */

static PyObject *call_enter(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	((struct call *)object)->start = promcb_start();
	Py_INCREF(object);
	return object;
}

static PyObject *call_exit(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
	struct call *self = (struct call *)object;
	PyObject *raised = count > 0 ? args[0] : Py_None;
	int is_success = raised == Py_None;

	if (!is_success && !self->success) {
		int is_exception = PyObject_IsSubclass(raised, PyExc_Exception);

		PyErr_Clear();
		if (is_exception == 0)
			Py_RETURN_FALSE;
	}
	if (self->success)
		is_success = truth_of(self->success);
	if (!self->is_ignored)
		promcb_stop(self->component->handle, self->start, is_success);
	Py_RETURN_FALSE;
}

static PyObject *call_ignore(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	((struct call *)object)->is_ignored = 1;
	Py_RETURN_NONE;
}

/* @component.time(): what wraps functions is written in Python. */
static PyObject *call_decorate(PyObject *object, PyObject *args, PyObject *keywords)
{
	PyObject *function, *module, *wrapped;
	static char *names[] = {"function", NULL};

	if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:time", names, &function))
		return NULL;
	module = PyImport_ImportModule("promcb._timed");
	if (!module)
		return NULL;
	wrapped =
		PyObject_CallMethod(module, "timed", "(OO)", (PyObject *)((struct call *)object)->component, function);
	Py_DECREF(module);
	return wrapped;
}

static PyObject *call_get_success(PyObject *object, void *Py_UNUSED(context))
{
	PyObject *success = ((struct call *)object)->success;

	if (!success)
		success = Py_None;
	Py_INCREF(success);
	return success;
}

static int call_set_success(PyObject *object, PyObject *value, void *Py_UNUSED(context))
{
	struct call *self = (struct call *)object;
	PyObject *before = self->success;

	if (value == Py_None)
		value = NULL;
	Py_XINCREF(value);
	self->success = value;
	Py_XDECREF(before);
	return 0;
}

static PyObject *call_get_seconds(PyObject *object, void *Py_UNUSED(context))
{
	return PyFloat_FromDouble((double)promcb_elapsed_ns(((struct call *)object)->start) / 1e9);
}

static int call_traverse(PyObject *object, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(object));
	Py_VISIT(((struct call *)object)->component);
	Py_VISIT(((struct call *)object)->success);
	return 0;
}

static void call_free(PyObject *object)
{
	struct call *self = (struct call *)object;

	PyObject_GC_UnTrack(object);
	Py_CLEAR(self->component);
	Py_CLEAR(self->success);
	free_object(object);
}

static PyMethodDef call_methods[] = {
	{"__enter__", call_enter, METH_NOARGS, NULL},
	{"__exit__", (PyCFunction)(void (*)(void))call_exit, METH_FASTCALL, NULL},
	{"ignore", call_ignore, METH_NOARGS, "ignore($self, /)\n--\n\nThis call is not recorded."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef call_attributes[] = {
	{"success", call_get_success, call_set_success, "Whether the call succeeds; None: if no exception leaves it.",
	 NULL},
	{"seconds", call_get_seconds, NULL, "Seconds since it began.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot call_slots[] = {
	{Py_tp_doc, (void *)"A call that is timed: Component.time()."},
	{Py_tp_dealloc, (void *)call_free},
	{Py_tp_traverse, (void *)call_traverse},
	{Py_tp_call, (void *)call_decorate},
	{Py_tp_methods, call_methods},
	{Py_tp_getset, call_attributes},
	{0, NULL},
};

static PyType_Spec call_spec = {
	.name = "promcb.Call",
	.basicsize = sizeof(struct call),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = call_slots,
};

int add_component_types(PyObject *module, struct module_state *state)
{
	return add_type(module, &component_spec, NULL, &state->component_type) < 0 ||
			       add_type(module, &call_spec, NULL, &state->call_type) < 0
		       ? -1
		       : 0;
}
