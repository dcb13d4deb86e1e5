/* SPDX-License-Identifier: MIT */
/* segment.c: an opened segment, and its components by name. */
#include "module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Opens with the interpreter's lock let go. */
static int open_session(struct segment *self, const struct promcb_options *options)
{
	Py_ssize_t length;
	PyObject *keeper;
	const char *name = utf8_of(self->name, &length, &keeper);
	int error;

	if (!name)
		return 0;
	Py_BEGIN_ALLOW_THREADS error = promcb_open(name, options, &self->session);
	Py_END_ALLOW_THREADS Py_DECREF(keeper);
	if (error < 0)
		self->session = NULL;
	return error;
}

static struct segment *segment_new(PyTypeObject *type, struct module_state *state, PyObject *name)
{
	allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct segment *self = (struct segment *)allocate(type, 0);

	if (!self)
		return NULL;
	self->state = state;
	Py_INCREF(Py_None);
	self->error = Py_None;
	self->components = PyDict_New();
	if (name && name != Py_None) {
		Py_INCREF(name);
		self->name = name;
	} else {
		/* As the library decides, once for what writes and what reads. */
		const char *wanted = secure_getenv("PROMCB_SEGMENT");

		self->name = PyUnicode_DecodeFSDefault(wanted && *wanted ? wanted : "/promcb");
	}
	if (!self->components || !self->name) {
		Py_DECREF(self);
		return NULL;
	}
	return self;
}

/* Apart, so that the usual way has no message to make room for. */
__attribute__((noinline)) static PyObject *open_default(struct module_state *state)
{
	struct promcb_message message = {{0}};
	struct promcb_options options = {.message = &message};
	struct segment *self = segment_new(state->segment_type, state, NULL);
	int error;

	if (!self)
		return NULL;
	error = open_session(self, &options);
	if (error < 0) {
		Py_DECREF(self->error);
		self->error = PyUnicode_DecodeUTF8(message.text, (Py_ssize_t)strlen(message.text), "replace");
	}
	PyErr_Clear();
	/* Another thread may have been faster: both opened one segment, and the library has one for them. */
	if (!state->default_segment) {
		Py_INCREF(self);
		state->default_segment = (PyObject *)self;
	}
	return (PyObject *)self;
}

PyObject *segment_default(struct module_state *state)
{
	PyObject *segment = state->default_segment;

	if (!segment)
		return open_default(state);
	Py_INCREF(segment);
	return segment;
}

static PyObject *segment_type_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
	static char *names[] = {"name",           "max_bytes",      "components", "lanes",
				"recent_samples", "window_seconds", "schema",     "mode",
				"owner",          "group",          NULL};
	struct promcb_message message = {{0}};
	struct promcb_options options = {.message = &message};
	unsigned long long max_bytes = 0;
	PyObject *name = Py_None;
	struct segment *self;
	int error;

	if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O$KIIIIIIII:Segment", names, &name, &max_bytes,
					 &options.components, &options.lanes, &options.recent_samples,
					 &options.window_seconds, &options.schema, &options.mode, &options.owner,
					 &options.group))
		return NULL;
	options.max_bytes = max_bytes;
	self = segment_new(type, (struct module_state *)PyType_GetModuleState(type), name);
	if (!self)
		return NULL;
	error = open_session(self, &options);
	if (!error && PyErr_Occurred()) {
		Py_DECREF(self);
		return NULL;
	}
	if (error < 0) {
		raise_error(self->state, error, &message);
		Py_DECREF(self);
		return NULL;
	}
	return (PyObject *)self;
}

static int segment_traverse(PyObject *object, visitproc visit, void *arg)
{
	struct segment *self = (struct segment *)object;

	Py_VISIT(Py_TYPE(object));
	Py_VISIT(self->components);
	return 0;
}

static int segment_clear(PyObject *object)
{
	Py_CLEAR(((struct segment *)object)->components);
	return 0;
}

static void segment_free(PyObject *object)
{
	struct segment *self = (struct segment *)object;

	PyObject_GC_UnTrack(object);
	/* Components that are kept stay: what they record is dropped from here on. */
	promcb_close(self->session);
	segment_clear(object);
	Py_CLEAR(self->name);
	Py_CLEAR(self->error);
	free_object(object);
}

/* -- Components ---------------------------------------------------------------------------------------------------- */

/* Registers; of a name that is against the rules, a component that counts nothing, or ValueError. */
static PyObject *register_component(struct segment *self, PyObject *name, int is_strict)
{
	struct promcb_component *handle = NULL;
	PyObject *keeper, *component;
	Py_ssize_t length;
	const char *text = utf8_of(name, &length, &keeper);
	const char *fault;

	if (!text)
		return NULL;
	fault = promcb_name_error(text, (size_t)length);
	if (is_strict && fault) {
		PyErr_Format(PyExc_ValueError, "%R cannot be a component's name: %s", name, fault);
		Py_DECREF(keeper);
		return NULL;
	}
	/* A zero byte ends what the library sees: a name with one is none. */
	promcb_component(self->session, fault ? "" : text, &handle);
	Py_DECREF(keeper);
	component = component_new(self->state, self, name, handle);
	if (component && self->components && PyDict_Size(self->components) < PROMCB_PYTHON_NAMES_MAX &&
	    PyDict_SetItem(self->components, name, component) < 0)
		PyErr_Clear();
	return component;
}

PyObject *segment_component(struct segment *self, PyObject *name, int is_strict)
{
	PyObject *component = NULL;

	if (self->components && PyUnicode_CheckExact(name))
		component = dict_get(self->components, name);
	if (component)
		return component;
	if (PyErr_Occurred())
		return NULL;
	return register_component(self, name, is_strict);
}

PyObject *segment_record(struct segment *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	PyObject *component;
	double seconds;
	int is_success;

	if (count < 1) {
		PyErr_SetString(PyExc_TypeError, "the component's name is missing");
		return NULL;
	}
	if (!parse_call(args, count, names, 1, &seconds, &is_success))
		return NULL;
	component = segment_component(self, args[0], 0);
	if (!component)
		return NULL;
	record_seconds((struct component *)component, seconds, is_success);
	Py_DECREF(component);
	Py_RETURN_NONE;
}

static PyObject *method_component(PyObject *self, PyObject *name)
{
	return segment_component((struct segment *)self, name, 1);
}

static PyObject *method_record(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	return segment_record((struct segment *)self, args, count, names);
}

static PyObject *method_count_log(PyObject *self, PyObject *args)
{
	PyObject *name, *level, *component;

	if (!PyArg_ParseTuple(args, "OO:count_log", &name, &level))
		return NULL;
	component = segment_component((struct segment *)self, name, 0);
	if (!component)
		return NULL;
	promcb_count_log(((struct component *)component)->handle, level_of(level));
	Py_DECREF(component);
	Py_RETURN_NONE;
}

static PyObject *method_reset(PyObject *object, PyObject *args)
{
	struct segment *self = (struct segment *)object;
	PyObject *name = Py_None, *keeper = NULL;
	const char *text = NULL;
	Py_ssize_t length;
	int error;

	if (!PyArg_ParseTuple(args, "|O:reset", &name))
		return NULL;
	if (name != Py_None) {
		text = utf8_of(name, &length, &keeper);
		if (!text)
			return NULL;
	}
	Py_BEGIN_ALLOW_THREADS error = text ? promcb_reset(self->session, text) : promcb_reset_all(self->session);
	Py_END_ALLOW_THREADS Py_XDECREF(keeper);
	if (error == -ENOENT)
		Py_RETURN_FALSE;
	if (error < 0)
		return raise_error(self->state, error, NULL);
	Py_RETURN_TRUE;
}

static PyObject *method_close(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct segment *self = (struct segment *)object;
	struct promcb_session *session = self->session;

	self->session = NULL;
	Py_BEGIN_ALLOW_THREADS promcb_close(session);
	Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyObject *method_snapshot(PyObject *object, PyObject *args, PyObject *keywords)
{
	struct segment *self = (struct segment *)object;

	return snapshot_take(self->state, self->name, args, keywords);
}

static PyObject *method_enter(PyObject *self, PyObject *Py_UNUSED(nothing))
{
	Py_INCREF(self);
	return self;
}

static PyObject *method_exit(PyObject *self, PyObject *Py_UNUSED(args))
{
	return method_close(self, NULL);
}

static PyObject *get_name(PyObject *self, void *Py_UNUSED(context))
{
	PyObject *name = ((struct segment *)self)->name;

	Py_INCREF(name);
	return name;
}

static PyObject *get_error(PyObject *self, void *Py_UNUSED(context))
{
	PyObject *error = ((struct segment *)self)->error;

	Py_INCREF(error);
	return error;
}

static PyMethodDef segment_methods[] = {
	{"component", method_component, METH_O,
	 "component($self, name, /)\n--\n\n"
	 "The component of that name, registered if there is none. Raises ValueError where a component cannot be\n"
	 "called so; where no more fit, it is the component \"_overflow\"."},
	{"record", (PyCFunction)(void (*)(void))method_record, METH_FASTCALL | METH_KEYWORDS,
	 "record($self, name, seconds, success=True)\n--\n\nRecords one finished call of the component of that name."},
	{"count_log", method_count_log, METH_VARARGS,
	 "count_log($self, name, level, /)\n--\n\n"
	 "Counts a line of a log. level: \"debug\", \"info\", \"warning\", \"error\", or a number of logging's."},
	{"reset", method_reset, METH_VARARGS,
	 "reset($self, name=None, /)\n--\n\n"
	 "Forgets what was recorded of a component, or of all, in every process. Names and states stay. Returns\n"
	 "whether there is such a component. Raises promcb.Error, as where another process is resetting."},
	{"snapshot", (PyCFunction)(void (*)(void))method_snapshot, METH_VARARGS | METH_KEYWORDS,
	 "snapshot($self, matching=None, *, recent=True)\n--\n\n"
	 "What all processes have recorded. matching: only components and families whose name has this text in it, or\n"
	 "is like it, where it has a \"*\". recent: with quantiles. Raises promcb.Error."},
	{"close", method_close, METH_NOARGS,
	 "close($self, /)\n--\n\nGives the segment back; what its components record from now on is dropped."},
	{"__enter__", method_enter, METH_NOARGS, NULL},
	{"__exit__", method_exit, METH_VARARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef segment_attributes[] = {
	{"name", get_name, NULL, "The name that it was opened by.", NULL},
	{"error", get_error, NULL, "Why the default segment could not be opened; else None.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot segment_slots[] = {
	{Py_tp_doc,
	 (void *)"Segment(name=None, *, max_bytes=0, components=0, lanes=0, recent_samples=0, window_seconds=0,\n"
		 "        schema=0, mode=0, owner=0, group=0)\n--\n\n"
		 "Opens a segment, creating it if there is none. name: of shared memory (\"/promcb\"), or a path;\n"
		 "None: what PROMCB_SEGMENT says, else \"/promcb\". The others apply if it is created; 0 is the\n"
		 "default: 32 MiB, 1,024 components, 256 threads that record without contention, the newest 1,000\n"
		 "calls of each within 600 s. Raises ValueError for what is out of range, and\n"
		 "promcb.Error where it cannot be opened."},
	{Py_tp_new, (void *)segment_type_new},
	{Py_tp_dealloc, (void *)segment_free},
	{Py_tp_traverse, (void *)segment_traverse},
	{Py_tp_clear, (void *)segment_clear},
	{Py_tp_methods, segment_methods},
	{Py_tp_getset, segment_attributes},
	{0, NULL},
};

static PyType_Spec segment_spec = {
	.name = "promcb.Segment",
	.basicsize = sizeof(struct segment),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = segment_slots,
};

int add_segment_type(PyObject *module, struct module_state *state)
{
	return add_type(module, &segment_spec, NULL, &state->segment_type);
}
