/* SPDX-License-Identifier: MIT */
/* metric.c: counting, setting and observing. */
#include "metric.h"

/* Whether there is a series to count; else ValueError. */
static inline int is_observable(struct metric *self)
{
	if (self->series)
		return 1;
	PyErr_Format(PyExc_ValueError, "%S is missing label values", self->name ? self->name : Py_None);
	return 0;
}

/* One number, with a name and a default; others that may be named are passed over. Returns whether it is there. */
static int parse_any(PyObject *const *args, Py_ssize_t count, PyObject *names, const char *called, int has_default,
		     double *number)
{
	PyObject *value = count > 0 ? args[0] : NULL;
	Py_ssize_t named = names ? PyTuple_Size(names) : 0;

	if (count > 2) {
		PyErr_SetString(PyExc_TypeError, "too many arguments");
		return 0;
	}
	for (Py_ssize_t i = 0; i < named; i++) {
		PyObject *name = PyTuple_GetItem(names, i);

		if (PyUnicode_CompareWithASCIIString(name, called) == 0 && !value) {
			value = args[count + i];
		} else if (PyUnicode_CompareWithASCIIString(name, "exemplar") != 0 &&
			   PyUnicode_CompareWithASCIIString(name, "timestamp") != 0) {
			PyErr_Format(PyExc_TypeError, "there is no argument %R, or it is given twice", name);
			return 0;
		}
	}
	if (!value) {
		if (has_default)
			return 1;
		PyErr_Format(PyExc_TypeError, "the %s is missing", called);
		return 0;
	}
	*number = PyFloat_AsDouble(value);
	return *number != -1.0 || !PyErr_Occurred();
}

/* The same; the common case is one number by position. */
static inline int parse_number(PyObject *const *args, Py_ssize_t count, PyObject *names, const char *called,
			       int has_default, double *number)
{
	if (count != 1 || names)
		return parse_any(args, count, names, called, has_default, number);
	*number = PyFloat_AsDouble(args[0]);
	return *number != -1.0 || !PyErr_Occurred();
}

/* -- Counters ------------------------------------------------------------------------------------------------------ */

static PyObject *counter_inc(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	struct metric *self = (struct metric *)object;
	double amount = 1;

	if (!is_observable(self))
		return NULL;
	if ((count || names) && !parse_number(args, count, names, "amount", 1, &amount))
		return NULL;
	if (amount < 0) {
		PyErr_SetString(PyExc_ValueError, "Counters can only be incremented by non-negative amounts.");
		return NULL;
	}
	promcb_counter_add_double((struct promcb_counter *)self->series, amount);
	Py_RETURN_NONE;
}

static int counter_init(PyObject *self, PyObject *args, PyObject *keywords)
{
	return metric_init(self, args, keywords, PROMCB_COUNTER);
}

/* -- Levels -------------------------------------------------------------------------------------------------------- */

static PyObject *level_add(PyObject *object, PyObject *amount)
{
	struct metric *self = (struct metric *)object;
	long long number;

	if (!is_observable(self))
		return NULL;
	number = PyLong_AsLongLong(amount);
	if (number == -1 && PyErr_Occurred())
		return NULL;
	promcb_level_add((struct promcb_level *)self->series, number);
	Py_RETURN_NONE;
}

static int level_init(PyObject *self, PyObject *args, PyObject *keywords)
{
	return metric_init(self, args, keywords, PROMCB_LEVEL);
}

/* -- Gauges -------------------------------------------------------------------------------------------------------- */

static PyObject *gauge_change(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names, double sign)
{
	struct metric *self = (struct metric *)object;
	double amount = 1;

	if (!is_observable(self))
		return NULL;
	if ((count || names) && !parse_number(args, count, names, "amount", 1, &amount))
		return NULL;
	promcb_gauge_add((struct promcb_gauge *)self->series, sign * amount);
	Py_RETURN_NONE;
}

static PyObject *gauge_inc(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	return gauge_change(self, args, count, names, 1);
}

static PyObject *gauge_dec(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	return gauge_change(self, args, count, names, -1);
}

static PyObject *gauge_set(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	struct metric *self = (struct metric *)object;
	double value;

	if (!is_observable(self) || !parse_number(args, count, names, "value", 0, &value))
		return NULL;
	promcb_gauge_set((struct promcb_gauge *)self->series, value);
	Py_RETURN_NONE;
}

static PyObject *gauge_unset(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct metric *self = (struct metric *)object;

	if (!is_observable(self))
		return NULL;
	promcb_gauge_clear((struct promcb_gauge *)self->series);
	Py_RETURN_NONE;
}

static int gauge_init(PyObject *self, PyObject *args, PyObject *keywords)
{
	return metric_init(self, args, keywords, PROMCB_GAUGE);
}

/* -- Histograms ---------------------------------------------------------------------------------------------------- */

static PyObject *histogram_observe(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	struct metric *self = (struct metric *)object;
	double value;

	if (!is_observable(self) || !parse_number(args, count, names, "amount", 0, &value))
		return NULL;
	promcb_histogram_observe_double((struct promcb_histogram *)self->series, value);
	Py_RETURN_NONE;
}

static int histogram_init(PyObject *self, PyObject *args, PyObject *keywords)
{
	return metric_init(self, args, keywords, PROMCB_HISTOGRAM);
}

/* -- Types --------------------------------------------------------------------------------------------------------- */

#define FAST(function) ((PyCFunction)(void (*)(void))(function))
#define SHARED_METHODS                                                                                                \
	{"labels", FAST(metric_labels), METH_FASTCALL | METH_KEYWORDS, labels_doc},                                   \
		{"remove", FAST(metric_remove), METH_FASTCALL, remove_doc},                                           \
		{"clear", metric_clear_all, METH_NOARGS, clear_doc}, {"reset", metric_reset, METH_NOARGS, reset_doc}, \
	{                                                                                                             \
		NULL, NULL, 0, NULL                                                                                   \
	}

static const char labels_doc[] =
	"labels($self, *values, **named)\n--\n\n"
	"The series with these label values, each through str(). Keep it where the values are known in advance.\n"
	"Values against the rules (over 1,023 bytes, a zero byte), and those beyond the family's cap, are counted in\n"
	"the series whose values are all \"_overflow\".";
static const char remove_doc[] =
	"remove($self, /, *values)\n--\n\n"
	"Removes a series, for all processes, and returns whether there was one. Whoever counts in it after, by a\n"
	"handle from before too, begins it anew at 0. A gauge that others have set stays theirs. Raises promcb.Error,\n"
	"as where another process is removing.";
static const char clear_doc[] = "clear($self, /)\n--\n\nThe same of all series of a family with labels.";
static const char reset_doc[] =
	"reset($self, /)\n--\n\nBegins this series anew at 0, for all processes. Raises promcb.Error, as remove().";

static PyMethodDef counter_methods[] = {
	{"inc", FAST(counter_inc), METH_FASTCALL | METH_KEYWORDS,
	 "inc($self, amount=1, exemplar=None)\n--\n\n"
	 "Adds. Raises ValueError for a negative amount; NaN and infinities are counted as rejected."},
	SHARED_METHODS,
};

static PyMethodDef level_methods[] = {
	{"add", level_add, METH_O,
	 "add($self, amount, /)\n--\n\nAdds a whole number of units of 10**-decimals, or takes it away."},
	SHARED_METHODS,
};

static PyMethodDef gauge_methods[] = {
	{"inc", FAST(gauge_inc), METH_FASTCALL | METH_KEYWORDS, "inc($self, amount=1)\n--\n\nAdds."},
	{"dec", FAST(gauge_dec), METH_FASTCALL | METH_KEYWORDS, "dec($self, amount=1)\n--\n\nTakes away."},
	{"set", FAST(gauge_set), METH_FASTCALL | METH_KEYWORDS, "set($self, value)\n--\n\nSets."},
	{"unset", gauge_unset, METH_NOARGS, "unset($self, /)\n--\n\nTakes the value away: it is not shown any more."},
	SHARED_METHODS,
};

static PyMethodDef histogram_methods[] = {
	{"observe", FAST(histogram_observe), METH_FASTCALL | METH_KEYWORDS,
	 "observe($self, amount, exemplar=None)\n--\n\nCounts a value. NaN and infinities are counted as rejected."},
	SHARED_METHODS,
};

#define COMMON_SLOTS(doc, init, methods)                                                                \
	{Py_tp_doc, (void *)(doc)}, {Py_tp_init, (void *)(init)}, {Py_tp_dealloc, (void *)metric_free}, \
		{Py_tp_traverse, (void *)metric_traverse}, {Py_tp_clear, (void *)metric_clear},         \
		{Py_tp_methods, methods}, {Py_tp_getset, metric_attributes},                            \
	{                                                                                               \
		0, NULL                                                                                 \
	}

static PyType_Slot counter_slots[] = {
	COMMON_SLOTS(
		"Counter(segment, name, help=\"\", labels=(), unit=None, *, decimals=None, series_max=0)\n--\n\n"
		"What only grows: shared by all processes, and survives them. The name ends in \"_total\". Amounts\n"
		"are doubles, or, with decimals, whole numbers of 10**-decimals. Raises ValueError for what is\n"
		"against the rules, promcb.Error where a family of this name differs.",
		counter_init, counter_methods),
};
static PyType_Slot level_slots[] = {
	COMMON_SLOTS("Level(segment, name, help=\"\", labels=(), unit=None, *, decimals=0, series_max=0)\n--\n\n"
		     "An amount that is added to and taken from, and survives the processes.",
		     level_init, level_methods),
};
static PyType_Slot gauge_slots[] = {
	COMMON_SLOTS(
		"Gauge(segment, name, help=\"\", labels=(), unit=None, *, scope=\"sum\", series_max=0)\n--\n\n"
		"What is set. Each living process has a value of its own, and the sum, the least (\"min\") or the\n"
		"greatest (\"max\") is shown; of the \"segment\": the last that was set by anybody.",
		gauge_init, gauge_methods),
};
static PyType_Slot histogram_slots[] = {
	COMMON_SLOTS("Histogram(segment, name, help=\"\", labels=(), unit=None, *, bounds=None, decimals=None,\n"
		     "          buckets_per_octave=0, smallest=0.0, largest=0.0, series_max=0)\n--\n\n"
		     "Counts values by size: in buckets up to each of the bounds, or of constant relative width.",
		     histogram_init, histogram_methods),
};

#define METRIC_SPEC(type, slots_of)                                                                       \
	{                                                                                                 \
		.name = "promcb." type, .basicsize = sizeof(struct metric),                               \
		.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, .slots = slots_of \
	}

static PyType_Spec counter_spec = METRIC_SPEC("Counter", counter_slots);
static PyType_Spec level_spec = METRIC_SPEC("Level", level_slots);
static PyType_Spec gauge_spec = METRIC_SPEC("Gauge", gauge_slots);
static PyType_Spec histogram_spec = METRIC_SPEC("Histogram", histogram_slots);

int add_metric_types(PyObject *module, struct module_state *state)
{
	return add_type(module, &counter_spec, NULL, &state->counter_type) < 0 ||
			       add_type(module, &level_spec, NULL, &state->level_type) < 0 ||
			       add_type(module, &gauge_spec, NULL, &state->gauge_type) < 0 ||
			       add_type(module, &histogram_spec, NULL, &state->histogram_type) < 0
		       ? -1
		       : 0;
}
