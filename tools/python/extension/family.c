/* SPDX-License-Identifier: MIT */
/* family.c: families of metrics as Python declares them, and their series by label values. */
#include "metric.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_MAX = 16 };

/* -- Declaring ----------------------------------------------------------------------------------------------------- */

static int parse_scope(const char *text, struct promcb_family_spec *spec)
{
	static const char *const names[] = {"sum", "min", "max", "segment"};

	if (strcmp(text, "info") == 0) {
		spec->type = PROMCB_INFO;
		return 0;
	}
	for (int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			spec->scope = (enum promcb_scope)i;
			return 0;
		}
	}
	PyErr_Format(PyExc_ValueError, "a scope is \"sum\", \"min\", \"max\" or \"segment\", not \"%.50s\"", text);
	return -1;
}

/* Upper bounds; a last one that is infinite goes without saying. The caller frees spec->bounds. */
static int parse_bounds(PyObject *bounds, struct promcb_family_spec *spec)
{
	PyObject *tuple = PySequence_Tuple(bounds);
	Py_ssize_t count = tuple ? PyTuple_Size(tuple) : 0;
	double *into = tuple ? (double *)calloc((size_t)count + 1, sizeof(*into)) : NULL;

	spec->bounds = into;
	for (Py_ssize_t i = 0; into && i < count; i++) {
		into[i] = PyFloat_AsDouble(PyTuple_GetItem(tuple, i));
		if (PyErr_Occurred())
			break;
	}
	Py_XDECREF(tuple);
	if (!into)
		return tuple ? (PyErr_NoMemory(), -1) : -1;
	if (PyErr_Occurred())
		return -1;
	if (count && isinf(into[count - 1]) && into[count - 1] > 0)
		count--;
	spec->bound_count = (size_t)count;
	return 0;
}

/* A gauge that is there, and 0, as soon as it is made. */
static void show_zero(struct metric *self)
{
	if (self->has_zero && self->type == PROMCB_GAUGE)
		promcb_gauge_add((struct promcb_gauge *)self->series, 0);
}

/* inside: a tuple of the names that its labels have in the segment. */
static int register_family(struct metric *self, struct promcb_family_spec *spec, PyObject *inside, int is_strict)
{
	const char *names[LABELS_MAX + 2] = {NULL};
	struct promcb_message message = {{0}};
	Py_ssize_t labels = PyTuple_Size(self->labelnames);
	int error;

	if (PyTuple_Size(inside) != labels) {
		PyErr_SetString(PyExc_ValueError, "labels_in_segment are as many as labels");
		return -1;
	}
	for (Py_ssize_t i = 0; i < labels && i <= LABELS_MAX; i++) {
		names[i] = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(inside, i), NULL);
		if (!names[i])
			return -1;
	}
	spec->labels = names;
	spec->message = &message;
	error = promcb_family_register(((struct segment *)self->segment)->session, spec, &self->family);
	if (error < 0) {
		if (is_strict) {
			raise_error(self->state, error, &message);
			return -1;
		}
		Py_XDECREF(self->error);
		self->error = PyUnicode_FromString(message.text[0] ? message.text : promcb_strerror(error));
		if (!self->error)
			return -1;
	}
	if (labels == 0) {
		promcb_series_with(self->family, self->type, NULL, NULL, 0, &self->series);
		show_zero(self);
	}
	return 0;
}

/* A tuple of the names: each is a str. */
static PyObject *label_names(PyObject *labels)
{
	PyObject *tuple;

	if (PyUnicode_Check(labels)) {
		PyErr_SetString(PyExc_TypeError, "labels are a sequence of names, not one str");
		return NULL;
	}
	tuple = PySequence_Tuple(labels);
	for (Py_ssize_t i = 0; tuple && i < PyTuple_Size(tuple); i++) {
		if (!PyUnicode_Check(PyTuple_GetItem(tuple, i))) {
			PyErr_SetString(PyExc_TypeError, "a label's name is a str");
			Py_CLEAR(tuple);
		}
	}
	return tuple;
}

/* Of the type that is the module's own, which a class written in Python is derived from. */
struct module_state *state_of(PyTypeObject *type)
{
	while (type) {
		struct module_state *state = (struct module_state *)PyType_GetModuleState(type);

		if (state)
			return state;
		PyErr_Clear();
		type = (PyTypeObject *)PyType_GetSlot(type, Py_tp_base);
	}
	return NULL;
}

static int set_up(struct metric *self, PyObject *segment, PyObject *labels, PyObject *name)
{
	self->state = state_of(Py_TYPE(self));
	if (!self->state || !PyObject_TypeCheck(segment, self->state->segment_type)) {
		PyErr_SetString(PyExc_TypeError, "the first argument is a promcb.Segment");
		return -1;
	}
	metric_clear((PyObject *)self);
	Py_INCREF(segment);
	self->segment = segment;
	Py_INCREF(name);
	self->name = name;
	self->labelnames = label_names(labels);
	self->labelvalues = PyTuple_New(0);
	self->children = PyDict_New();
	Py_INCREF(Py_None);
	self->error = Py_None;
	self->series = NULL;
	return self->labelnames && self->labelvalues && self->children ? 0 : -1;
}

int metric_init(PyObject *object, PyObject *args, PyObject *keywords, enum promcb_metric_type type)
{
	static char *names[] = {"segment",  "name",    "help",
				"labels",   "unit",    "scope",
				"decimals", "bounds",  "buckets_per_octave",
				"smallest", "largest", "series_max",
				"strict",   "zero",    "labels_in_segment",
				NULL};
	struct promcb_family_spec spec = {.type = type};
	struct metric *self = (struct metric *)object;
	PyObject *segment, *name, *labels = NULL, *bounds = Py_None, *decimals = Py_None, *none = PyTuple_New(0);
	PyObject *inside = Py_None;
	const char *scope = "sum";
	int is_strict = 1, result = -1;

	if (!none)
		return -1;
	labels = none;
	if (!PyArg_ParseTupleAndKeywords(args, keywords, "OU|zOz$sOOIddIppO", names, &segment, &name, &spec.help,
					 &labels, &spec.unit, &scope, &decimals, &bounds, &spec.buckets_per_octave,
					 &spec.smallest, &spec.largest, &spec.series_max, &is_strict, &self->has_zero,
					 &inside))
		goto out;
	spec.name = PyUnicode_AsUTF8AndSize(name, NULL);
	if (spec.help && !*spec.help)
		spec.help = NULL;
	if (spec.unit && !*spec.unit)
		spec.unit = NULL;
	if (!spec.name || parse_scope(scope, &spec) < 0 || (bounds != Py_None && parse_bounds(bounds, &spec) < 0))
		goto out;
	if (decimals != Py_None)
		spec.decimals = (uint32_t)PyLong_AsUnsignedLong(decimals);
	else if (type == PROMCB_COUNTER || type == PROMCB_HISTOGRAM)
		spec.flags = PROMCB_DOUBLES;
	if (PyErr_Occurred() || set_up(self, segment, labels, name) < 0)
		goto out;
	self->type = spec.type;
	self->has_doubles = (spec.flags & PROMCB_DOUBLES) != 0;
	inside = inside == Py_None ? label_names(self->labelnames) : label_names(inside);
	result = inside ? register_family(self, &spec, inside, is_strict) : -1;
	Py_XDECREF(inside);
out:
	free((double *)(uintptr_t)spec.bounds);
	Py_DECREF(none);
	return result;
}

/* -- Life ---------------------------------------------------------------------------------------------------------- */

int metric_traverse(PyObject *object, visitproc visit, void *arg)
{
	struct metric *self = (struct metric *)object;

	Py_VISIT(Py_TYPE(object));
	Py_VISIT(self->segment);
	Py_VISIT(self->children);
	return 0;
}

int metric_clear(PyObject *object)
{
	struct metric *self = (struct metric *)object;

	Py_CLEAR(self->segment);
	Py_CLEAR(self->children);
	Py_CLEAR(self->name);
	Py_CLEAR(self->labelnames);
	Py_CLEAR(self->labelvalues);
	Py_CLEAR(self->error);
	return 0;
}

void metric_free(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	metric_clear(object);
	free_object(object);
}

/* -- Series by label values ---------------------------------------------------------------------------------------- */

/* Label values as the library takes them; what they point into lives as long as the keepers. */
struct texts {
	const char *values[LABELS_MAX];
	size_t lengths[LABELS_MAX];
	PyObject *keepers[LABELS_MAX];
	size_t count;
};

static void texts_clear(struct texts *texts)
{
	for (int i = 0; i < LABELS_MAX; i++)
		Py_CLEAR(texts->keepers[i]);
}

/* values: a tuple of str. Returns 0, or -1 with an exception set; to be cleared in any case. */
static int texts_of(PyObject *values, struct texts *texts)
{
	Py_ssize_t count = PyTuple_Size(values);

	memset(texts, 0, sizeof(*texts));
	texts->count = count < LABELS_MAX ? (size_t)count : LABELS_MAX;
	for (Py_ssize_t i = 0; i < count && i < LABELS_MAX; i++) {
		Py_ssize_t length;

		texts->values[i] = utf8_of(PyTuple_GetItem(values, i), &length, &texts->keepers[i]);
		if (!texts->values[i])
			return -1;
		texts->lengths[i] = (size_t)length;
	}
	return 0;
}

/* The handle of the series that has these values, each a str. */
static int find_series(struct metric *self, PyObject *values, void **out)
{
	struct texts texts;
	int result = texts_of(values, &texts);

	/* What cannot be found or made is counted as "_overflow", and is no error here. */
	if (result == 0)
		promcb_series_with(self->family, self->type, texts.values, texts.lengths, texts.count, out);
	texts_clear(&texts);
	return result;
}

static PyObject *make_child(struct metric *self, PyObject *values)
{
	PyTypeObject *type = Py_TYPE(self);
	allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct metric *child = (struct metric *)allocate(type, 0);

	if (!child)
		return NULL;
	child->state = self->state;
	child->family = self->family;
	child->type = self->type;
	child->has_doubles = self->has_doubles;
	child->has_zero = self->has_zero;
	Py_INCREF(self->segment);
	child->segment = self->segment;
	Py_INCREF(self->name);
	child->name = self->name;
	Py_INCREF(self->labelnames);
	child->labelnames = self->labelnames;
	Py_INCREF(self->error);
	child->error = self->error;
	Py_INCREF(values);
	child->labelvalues = values;
	if (find_series(self, values, &child->series) < 0) {
		Py_DECREF(child);
		return NULL;
	}
	show_zero(child);
	return (PyObject *)child;
}

/* The label values of a call, in their order, each a str: a tuple. */
static PyObject *values_of(struct metric *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	Py_ssize_t labels = PyTuple_Size(self->labelnames), named = names ? PyTuple_Size(names) : 0;
	PyObject *values;

	if (count && named) {
		PyErr_SetString(PyExc_ValueError, "Can't pass both *args and **kwargs");
		return NULL;
	}
	if (count + named != labels) {
		PyErr_SetString(PyExc_ValueError, named ? "Incorrect label names" : "Incorrect label count");
		return NULL;
	}
	values = PyTuple_New(labels);
	for (Py_ssize_t i = 0; values && i < labels; i++) {
		PyObject *value = named ? NULL : args[i];

		for (Py_ssize_t k = 0; k < named && !value; k++)
			if (PyUnicode_Compare(PyTuple_GetItem(names, k), PyTuple_GetItem(self->labelnames, i)) == 0)
				value = args[k];
		if (!value)
			PyErr_SetString(PyExc_ValueError, "Incorrect label names");
		if (value && PyUnicode_CheckExact(value))
			Py_INCREF(value);
		else
			value = value ? PyObject_Str(value) : NULL;
		if (!value || PyTuple_SetItem(values, i, value) < 0)
			Py_CLEAR(values);
	}
	return values;
}

PyObject *metric_labels(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	struct metric *self = (struct metric *)object;
	Py_ssize_t labels = self->labelnames ? PyTuple_Size(self->labelnames) : 0;
	PyObject *key, *child, *values = NULL;

	if (!labels || !self->children) {
		PyErr_Format(PyExc_ValueError,
			     labels ? "%R already has labels set; can not chain calls to .labels()"
				    : "No label names were set when constructing %R",
			     object);
		return NULL;
	}
	/* The common case: one label, and no tuple for it. */
	if (labels == 1 && count == 1 && !names && PyUnicode_CheckExact(args[0])) {
		key = args[0];
	} else {
		values = values_of(self, args, count, names);
		if (!values)
			return NULL;
		key = labels == 1 ? PyTuple_GetItem(values, 0) : values;
	}
	child = dict_get(self->children, key);
	if (!child && !PyErr_Occurred()) {
		PyObject *all = values ? Py_BuildValue("O", values) : Py_BuildValue("(O)", key);

		child = all ? make_child(self, all) : NULL;
		Py_XDECREF(all);
		if (child && PyDict_SetItem(self->children, key, child) < 0)
			Py_CLEAR(child);
	}
	Py_XDECREF(values);
	return child;
}

/* -- Removing ------------------------------------------------------------------------------------------------------ */

/* Returns 1, 0 where there is no such series, or -1 with an exception set. */
static int remove_series(struct metric *self, PyObject *values)
{
	struct texts texts;
	int error = texts_of(values, &texts);

	if (error == 0) {
		Py_BEGIN_ALLOW_THREADS error =
			promcb_series_remove(self->family, texts.values, texts.lengths, texts.count);
		Py_END_ALLOW_THREADS
	} else {
		error = 1;
	}
	texts_clear(&texts);
	if (error == 1)
		return -1;
	/* Values against the rules are those of no series. */
	if (error == -ENOENT || error == -EINVAL)
		return 0;
	if (error < 0)
		raise_error(self->state, error, NULL);
	return error < 0 ? -1 : 1;
}

PyObject *metric_remove(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
	struct metric *self = (struct metric *)object;
	PyObject *values;
	int removed;

	if (!self->children || PyTuple_Size(self->labelnames) == 0) {
		PyErr_Format(PyExc_ValueError, "No label names were set when constructing %R", object);
		return NULL;
	}
	values = values_of(self, args, count, NULL);
	if (!values)
		return NULL;
	if (PyDict_DelItem(self->children, PyTuple_Size(values) == 1 ? PyTuple_GetItem(values, 0) : values) < 0)
		PyErr_Clear();
	removed = remove_series(self, values);
	Py_DECREF(values);
	return removed < 0 ? NULL : PyBool_FromLong(removed);
}

PyObject *metric_clear_all(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct metric *self = (struct metric *)object;
	int error;

	if (!self->children || PyTuple_Size(self->labelnames) == 0)
		Py_RETURN_NONE;
	PyDict_Clear(self->children);
	Py_BEGIN_ALLOW_THREADS error = promcb_family_clear(self->family);
	Py_END_ALLOW_THREADS if (error < 0 && error != -EINVAL) return raise_error(self->state, error, NULL);
	Py_RETURN_NONE;
}

PyObject *metric_reset(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct metric *self = (struct metric *)object;

	if (!self->series) {
		PyErr_Format(PyExc_ValueError, "%S is missing label values", self->name ? self->name : Py_None);
		return NULL;
	}
	/* Looked up again, it is listed from 0 on. */
	if (remove_series(self, self->labelvalues) < 0 || find_series(self, self->labelvalues, &self->series) < 0)
		return NULL;
	Py_RETURN_NONE;
}

/* -- Attributes ---------------------------------------------------------------------------------------------------- */

static PyObject *reference(PyObject *object)
{
	if (!object)
		object = Py_None;
	Py_INCREF(object);
	return object;
}

static PyObject *get_name(PyObject *self, void *Py_UNUSED(context))
{
	return reference(((struct metric *)self)->name);
}

static PyObject *get_labelnames(PyObject *self, void *Py_UNUSED(context))
{
	return reference(((struct metric *)self)->labelnames);
}

static PyObject *get_labelvalues(PyObject *self, void *Py_UNUSED(context))
{
	return reference(((struct metric *)self)->labelvalues);
}

static PyObject *get_segment(PyObject *self, void *Py_UNUSED(context))
{
	return reference(((struct metric *)self)->segment);
}

static PyObject *get_error(PyObject *self, void *Py_UNUSED(context))
{
	return reference(((struct metric *)self)->error);
}

PyGetSetDef metric_attributes[] = {
	{"name", get_name, NULL, "The family's name.", NULL},
	{"labelnames", get_labelnames, NULL, "The names of its labels.", NULL},
	{"labelvalues", get_labelvalues, NULL, "The values that this series has for them; empty for the family.", NULL},
	{"segment", get_segment, NULL, "The segment that it is in.", NULL},
	{"error", get_error, NULL, "Why nothing is counted; else None.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};
