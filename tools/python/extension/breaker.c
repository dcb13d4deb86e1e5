/* SPDX-License-Identifier: MIT */
/*
 * breaker.c: circuit breakers that all processes share, and calls through them. What is written on top of it in Python
 * is promcb/_breaker.py: arguments, functions, "with".
 */
#include "module.h"

#include <promcb/breaker.h>

#include <errno.h>

struct breaker {
	PyObject_HEAD struct promcb_breaker *handle;
	struct component *component;
	PyObject *error; /* str, or None */
};

struct breaker_call {
	PyObject_HEAD struct breaker *breaker; /* NULL: it has ended */
	struct promcb_token token;
};

static struct promcb_component *component_of(struct breaker *self)
{
	return self->component ? self->component->handle : NULL;
}

/* The fields of struct promcb_policy, in its order, then the mode's name. */
static int breaker_init(PyObject *object, PyObject *args, PyObject *Py_UNUSED(keywords))
{
	struct breaker *self = (struct breaker *)object;
	struct module_state *state;
	struct promcb_message message = {.text = ""};
	struct promcb_policy p = {.message = &message};
	unsigned long long slow_ns = 0;
	PyObject *component;
	int has_policy, result;

	if (!PyArg_ParseTuple(args, "OpIIIIIIKIIIIIIII", &component, &has_policy, &p.version, &p.window_ms,
			      &p.min_calls, &p.failure_permille, &p.slow_permille, &p.consecutive, &slow_ns, &p.open_ms,
			      &p.open_max_ms, &p.jitter_percent, &p.probes, &p.successes, &p.failures, &p.lease_ms,
			      &p.mode))
		return -1;
	p.slow_ns = slow_ns;
	if (self->component) {
		PyErr_SetString(PyExc_RuntimeError, "a breaker is made once");
		return -1;
	}
	state = state_of(Py_TYPE(object));
	if (!state || !PyObject_TypeCheck(component, state->component_type)) {
		PyErr_SetString(PyExc_TypeError, "a promcb.Component is expected");
		return -1;
	}
	Py_INCREF(component);
	self->component = (struct component *)component;
	Py_BEGIN_ALLOW_THREADS;
	result = promcb_breaker(self->component->handle, has_policy ? &p : NULL, &self->handle);
	Py_END_ALLOW_THREADS;
	if (result == -EINVAL && self->component->segment->session) {
		raise_error(state, result, &message);
		return -1;
	}
	if (result < 0) {
		self->error = PyUnicode_FromString(message.text[0] ? message.text : promcb_strerror(result));
		return self->error ? 0 : -1;
	}
	Py_INCREF(Py_None);
	self->error = Py_None;
	return 0;
}

static int breaker_traverse(PyObject *object, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(object));
	Py_VISIT(((struct breaker *)object)->component);
	return 0;
}

static int breaker_clear(PyObject *object)
{
	Py_CLEAR(((struct breaker *)object)->component);
	return 0;
}

static void breaker_free(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	breaker_clear(object);
	Py_CLEAR(((struct breaker *)object)->error);
	free_object(object);
}

/* Where __init__ was not called there is none. */
static struct promcb_breaker *handle_of(PyObject *object)
{
	struct promcb_breaker *handle = ((struct breaker *)object)->handle;

	if (!handle)
		PyErr_SetString(PyExc_RuntimeError, "the breaker was not made");
	return handle;
}

static PyObject *breaker_begin(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct breaker *self = (struct breaker *)object;
	struct promcb_breaker *handle = handle_of(object);
	PyTypeObject *type;
	struct breaker_call *call;

	if (!handle)
		return NULL;
	type = self->component->segment->state->breaker_call_type;
	call = (struct breaker_call *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
	if (!call)
		return NULL;
	if (!promcb_begin(handle, &call->token)) {
		Py_DECREF(call);
		Py_RETURN_NONE;
	}
	Py_INCREF(self);
	call->breaker = self;
	return (PyObject *)call;
}

static PyObject *breaker_force(PyObject *object, PyObject *mode)
{
	const char *text = PyUnicode_Check(mode) ? PyUnicode_AsUTF8AndSize(mode, NULL) : NULL;
	struct promcb_breaker *handle = handle_of(object);

	if (!handle)
		return NULL;
	for (int i = 0; text && i < PROMCB_MODES; i++)
		if (strcmp(text, promcb_mode_name((enum promcb_mode)i)) == 0) {
			promcb_breaker_force(handle, (enum promcb_mode)i);
			Py_RETURN_NONE;
		}
	PyErr_Clear();
	PyErr_SetString(PyExc_ValueError, "a mode is \"automatic\", \"open\", \"closed\" or \"shadow\"");
	return NULL;
}

static PyObject *breaker_trip(PyObject *object, PyObject *args)
{
	struct promcb_breaker *handle = handle_of(object);
	double seconds = 0;

	if (!handle || !PyArg_ParseTuple(args, "|d:trip", &seconds))
		return NULL;
	if (!(seconds >= 0 && seconds <= 3600)) {
		PyErr_SetString(PyExc_ValueError, "seconds are 0 to 3600");
		return NULL;
	}
	promcb_breaker_trip(handle, (uint64_t)(seconds * 1e9));
	Py_RETURN_NONE;
}

static PyObject *breaker_reset(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct promcb_breaker *handle = handle_of(object);

	if (!handle)
		return NULL;
	promcb_breaker_reset(handle);
	Py_RETURN_NONE;
}

static PyObject *breaker_get_state(PyObject *object, void *Py_UNUSED(context))
{
	struct breaker *self = (struct breaker *)object;
	enum promcb_state state;

	if (!handle_of(object))
		return NULL;
	state = component_of(self) ? promcb_state(component_of(self)) : PROMCB_CLOSED;
	return PyUnicode_FromString(promcb_state_name(state));
}

static PyObject *breaker_get_retry_after(PyObject *object, void *Py_UNUSED(context))
{
	struct promcb_breaker *handle = handle_of(object);

	return handle ? PyFloat_FromDouble((double)promcb_retry_after(handle) / 1e9) : NULL;
}

static PyObject *breaker_get_error(PyObject *object, void *Py_UNUSED(context))
{
	PyObject *error = ((struct breaker *)object)->error;

	error = error ? error : Py_None;
	Py_INCREF(error);
	return error;
}

static PyObject *breaker_get_component(PyObject *object, void *Py_UNUSED(context))
{
	PyObject *component = (PyObject *)((struct breaker *)object)->component;

	component = component ? component : Py_None;
	Py_INCREF(component);
	return component;
}

static PyMethodDef breaker_methods[] = {
	{"begin", breaker_begin, METH_NOARGS,
	 "begin($self, /)\n--\n\n"
	 "A call that may be made, to be ended by its end(); None: it may not be made."},
	{"force", breaker_force, METH_O,
	 "force($self, mode, /)\n--\n\n"
	 "What decides from now on, in all processes: \"automatic\", the policy; \"open\"; \"closed\"; \"shadow\"."},
	{"trip", breaker_trip, METH_VARARGS,
	 "trip($self, seconds=0.0, /)\n--\n\n"
	 "Opens it now, for so long at least, an hour at most: what \"Retry-After\" says."},
	{"reset", breaker_reset, METH_NOARGS, "reset($self, /)\n--\n\nCloses it now, and forgets the window."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef breaker_attributes[] = {
	{"state", breaker_get_state, NULL, "\"closed\", \"open\" or \"half_open\".", NULL},
	{"retry_after", breaker_get_retry_after, NULL,
	 "Seconds until a call may be let through; 0.0: now, or it is not known.", NULL},
	{"error", breaker_get_error, NULL, "Why the policy is not in force, or there is no breaker; None: all is well.",
	 NULL},
	{"component", breaker_get_component, NULL, "Its component.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot breaker_slots[] = {
	{Py_tp_doc, (void *)"What promcb.Breaker is made on."},
	{Py_tp_init, (void *)breaker_init},
	{Py_tp_dealloc, (void *)breaker_free},
	{Py_tp_traverse, (void *)breaker_traverse},
	{Py_tp_clear, (void *)breaker_clear},
	{Py_tp_methods, breaker_methods},
	{Py_tp_getset, breaker_attributes},
	{0, NULL},
};

static PyType_Spec breaker_spec = {
	.name = "promcb._promcb.BreakerBase",
	.basicsize = sizeof(struct breaker),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
	.slots = breaker_slots,
};

/* -- Calls --------------------------------------------------------------------------------------------------------- */

static void end_call(struct breaker_call *self, enum promcb_call_outcome outcome)
{
	struct breaker *breaker = self->breaker;

	if (!breaker)
		return;
	self->breaker = NULL;
	/* A breaker that is collected together with its call has none any more. */
	if (breaker->handle)
		promcb_end(breaker->handle, &self->token, outcome);
	Py_DECREF(breaker);
}

static PyObject *breaker_call_end(PyObject *object, PyObject *outcome)
{
	const char *text = PyUnicode_Check(outcome) ? PyUnicode_AsUTF8AndSize(outcome, NULL) : NULL;

	for (int i = 0; text && i < PROMCB_CALL_OUTCOMES; i++)
		if (strcmp(text, promcb_outcome_name((enum promcb_call_outcome)i)) == 0) {
			end_call((struct breaker_call *)object, (enum promcb_call_outcome)i);
			Py_RETURN_NONE;
		}
	PyErr_Clear();
	PyErr_Format(PyExc_ValueError, "there is no outcome %R", outcome);
	return NULL;
}

static int breaker_call_traverse(PyObject *object, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(object));
	Py_VISIT(((struct breaker_call *)object)->breaker);
	return 0;
}

/* One that nobody ended says nothing. */
static void breaker_call_free(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	end_call((struct breaker_call *)object, PROMCB_IGNORED);
	free_object(object);
}

static PyMethodDef breaker_call_methods[] = {
	{"end", breaker_call_end, METH_O,
	 "end($self, outcome, /)\n--\n\n"
	 "\"success\"; a failure: \"failure\", \"timeout\", \"connect\", \"reset\", \"overload\", \"protocol\",\n"
	 "\"application\"; or \"ignored\". The first counts; a call that is dropped is ignored."},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot breaker_call_slots[] = {
	{Py_tp_doc, (void *)"A call through a breaker: Breaker.begin()."},
	{Py_tp_dealloc, (void *)breaker_call_free},
	{Py_tp_traverse, (void *)breaker_call_traverse},
	{Py_tp_methods, breaker_call_methods},
	{0, NULL},
};

static PyType_Spec breaker_call_spec = {
	.name = "promcb.BreakerCall",
	.basicsize = sizeof(struct breaker_call),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = breaker_call_slots,
};

int add_breaker_types(PyObject *module, struct module_state *state)
{
	return add_type(module, &breaker_spec, NULL, &state->breaker_type) < 0 ||
			       add_type(module, &breaker_call_spec, NULL, &state->breaker_call_type) < 0
		       ? -1
		       : 0;
}
