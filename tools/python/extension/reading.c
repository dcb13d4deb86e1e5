/* SPDX-License-Identifier: MIT */
/* reading.c: snapshots of a segment: components, families, and renderings. */
#include "module.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct snapshot {
	PyObject_HEAD struct module_state *state;
	struct promcb_snapshot *snapshot;
	double seconds; /* that it took */
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A reader for each: it holds nothing that a fork or another thread could meet. */
static int take(const char *segment, const struct promcb_snapshot_options *options, struct promcb_snapshot **out,
		struct promcb_message *message)
{
	struct promcb_reader *reader;
	int error = promcb_reader_open(segment, NULL, &reader, message);

	if (error < 0)
		return error;
	error = promcb_reader_snapshot(reader, options, out, message);
	promcb_reader_close(reader);
	return error;
}

PyObject *snapshot_take(struct module_state *state, PyObject *name, PyObject *args, PyObject *keywords)
{
	static char *names[] = {"matching", "recent", NULL};
	allocfunc allocate = (allocfunc)PyType_GetSlot(state->snapshot_type, Py_tp_alloc);
	struct promcb_snapshot_options options = {0};
	struct promcb_message message = {{0}};
	struct promcb_snapshot *taken = NULL;
	struct snapshot *self;
	PyObject *keeper;
	const char *segment;
	Py_ssize_t length;
	int is_recent = 1, error;
	double seconds = seconds_now();

	if (!PyArg_ParseTupleAndKeywords(args, keywords, "|zp:snapshot", names, &options.matching, &is_recent))
		return NULL;
	if (!is_recent)
		options.flags = PROMCB_SNAPSHOT_WITHOUT_RECENT;
	segment = utf8_of(name, &length, &keeper);
	if (!segment)
		return NULL;
	Py_BEGIN_ALLOW_THREADS error = take(segment, &options, &taken, &message);
	Py_END_ALLOW_THREADS Py_DECREF(keeper);
	if (error < 0)
		return raise_error(state, error, &message);
	self = (struct snapshot *)allocate(state->snapshot_type, 0);
	if (!self) {
		promcb_snapshot_free(taken);
		return NULL;
	}
	self->state = state;
	self->snapshot = taken;
	self->seconds = seconds_now() - seconds;
	return (PyObject *)self;
}

static void snapshot_free(PyObject *object)
{
	promcb_snapshot_free(((struct snapshot *)object)->snapshot);
	free_object(object);
}

/* -- Components ---------------------------------------------------------------------------------------------------- */

/* A float, or None where it is not known. */
static PyObject *known(double number)
{
	if (isnan(number))
		Py_RETURN_NONE;
	return PyFloat_FromDouble(number);
}

static PyObject *summary_dict(const struct promcb_summary *summary)
{
	return Py_BuildValue(
		"{s:s, s:K, s:K, s:K, s:K, s:d, s:d, s:d, s:N, s:N, s:N, s:K, s:N, s:s, s:N, s:N,"
		" s:{s:N, s:N, s:N, s:N, s:N}, s:{s:K, s:K, s:K}, s:{s:K, s:K, s:K, s:K}}",
		"component", summary->name, "total_calls", summary->total_calls, "successful_calls",
		summary->successful_calls, "failed_calls", summary->failed_calls, "unmeasured_calls",
		summary->unmeasured_calls, "success_rate", summary->success_rate, "failure_rate", summary->failure_rate,
		"latency_sum", summary->latency_sum, "avg_latency", known(summary->avg_latency), "min_latency",
		known(summary->min_latency), "max_latency", known(summary->max_latency), "recent_calls",
		summary->recent_calls, "recent_failure_rate", known(summary->recent_failure_rate), "current_state",
		promcb_state_name(summary->state), "last_state_change", known(summary->last_state_change),
		"last_failure_time", known(summary->last_failure_time), "latency_percentiles", "p50",
		known(summary->p50), "p90", known(summary->p90), "p95", known(summary->p95), "p99", known(summary->p99),
		"p999", known(summary->p999), "transitions", "closed", summary->transitions[PROMCB_CLOSED], "open",
		summary->transitions[PROMCB_OPEN], "half_open", summary->transitions[PROMCB_HALF_OPEN], "log_entries",
		"debug", summary->log_entries[PROMCB_LOG_DEBUG], "info", summary->log_entries[PROMCB_LOG_INFO],
		"warning", summary->log_entries[PROMCB_LOG_WARNING], "error", summary->log_entries[PROMCB_LOG_ERROR]);
}

static PyObject *snapshot_summaries(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	const struct promcb_snapshot *snapshot = ((struct snapshot *)object)->snapshot;
	PyObject *list = PyList_New(0);
	struct promcb_summary summary;

	for (size_t i = 0; list && promcb_snapshot_summary(snapshot, i, &summary) == 0; i++) {
		PyObject *dict = summary_dict(&summary);

		if (!dict || PyList_Append(list, dict) < 0)
			Py_CLEAR(list);
		Py_XDECREF(dict);
	}
	return list;
}

static PyObject *snapshot_summary(PyObject *object, PyObject *name)
{
	struct promcb_summary summary;
	Py_ssize_t length;
	PyObject *keeper;
	const char *text = utf8_of(name, &length, &keeper);
	int error;

	if (!text)
		return NULL;
	error = promcb_snapshot_find(((struct snapshot *)object)->snapshot, text, &summary);
	Py_DECREF(keeper);
	if (error < 0)
		Py_RETURN_NONE;
	return summary_dict(&summary);
}

static PyObject *snapshot_quantile(PyObject *object, PyObject *args)
{
	const struct promcb_snapshot *snapshot = ((struct snapshot *)object)->snapshot;
	struct promcb_summary summary;
	struct promcb_bucket bucket;
	const char *name;
	double quantile;

	if (!PyArg_ParseTuple(args, "sd:quantile", &name, &quantile))
		return NULL;
	for (size_t i = 0; promcb_snapshot_summary(snapshot, i, &summary) == 0; i++) {
		int error;

		if (strcmp(summary.name, name) != 0)
			continue;
		error = promcb_snapshot_quantile(snapshot, i, PROMCB_OUTCOME_ANY, quantile, &bucket, NULL);
		if (error == -EINVAL)
			return raise_error(((struct snapshot *)object)->state, error, NULL);
		if (error == 0)
			return PyFloat_FromDouble((double)bucket.most_ns / 1e9);
	}
	Py_RETURN_NONE;
}

/* -- Families ------------------------------------------------------------------------------------------------------ */

static PyObject *texts_of(const struct promcb_snapshot *snapshot, size_t family, size_t labels, size_t series,
			  int values)
{
	PyObject *tuple = PyTuple_New((Py_ssize_t)labels);

	for (size_t i = 0; tuple && i < labels; i++) {
		const char *text = values ? promcb_snapshot_label_value(snapshot, family, series, i)
					  : promcb_snapshot_label(snapshot, family, i);
		PyObject *string =
			PyUnicode_DecodeUTF8(text ? text : "", text ? (Py_ssize_t)strlen(text) : 0, "replace");

		if (!string || PyTuple_SetItem(tuple, (Py_ssize_t)i, string) < 0)
			Py_CLEAR(tuple);
	}
	return tuple;
}

static PyObject *buckets_of(const struct promcb_snapshot *snapshot, size_t family, size_t series, uint64_t *counts,
			    size_t room)
{
	size_t count = promcb_snapshot_series_buckets(snapshot, family, series, counts, room);
	PyObject *list;

	if (!count)
		Py_RETURN_NONE;
	list = PyList_New((Py_ssize_t)count);
	for (size_t i = 0; list && i < count; i++) {
		PyObject *number = PyLong_FromUnsignedLongLong(i < room ? counts[i] : 0);

		if (!number || PyList_SetItem(list, (Py_ssize_t)i, number) < 0)
			Py_CLEAR(list);
	}
	return list;
}

/* Tuples: label values, number, count, Unix seconds of its creation, buckets or None. */
static PyObject *series_of(const struct promcb_snapshot *snapshot, size_t family,
			   const struct promcb_family_summary *summary)
{
	uint64_t *counts = (uint64_t *)calloc(summary->buckets + 1, sizeof(*counts));
	PyObject *list = counts ? PyList_New(0) : PyErr_NoMemory();
	struct promcb_series_summary series;

	for (size_t i = 0; list && promcb_snapshot_series(snapshot, family, i, &series) == 0; i++) {
		PyObject *tuple = Py_BuildValue("(NdKdN)", texts_of(snapshot, family, summary->labels, i, 1),
						series.number, series.count, (double)series.created_ns / 1e9,
						buckets_of(snapshot, family, i, counts, summary->buckets));

		if (!tuple || PyList_Append(list, tuple) < 0)
			Py_CLEAR(list);
		Py_XDECREF(tuple);
	}
	free(counts);
	return list;
}

static PyObject *bounds_of(const struct promcb_snapshot *snapshot, size_t family, size_t buckets)
{
	PyObject *list;

	if (!buckets)
		Py_RETURN_NONE;
	list = PyList_New((Py_ssize_t)buckets);
	for (size_t i = 0; list && i < buckets; i++) {
		PyObject *bound = PyFloat_FromDouble(promcb_snapshot_series_bound(snapshot, family, i));

		if (!bound || PyList_SetItem(list, (Py_ssize_t)i, bound) < 0)
			Py_CLEAR(list);
	}
	return list;
}

static PyObject *family_dict(const struct promcb_snapshot *snapshot, size_t index,
			     const struct promcb_family_summary *summary)
{
	static const char *const types[] = {"", "counter", "level", "gauge", "histogram", "info"};
	static const char *const scopes[] = {"sum", "min", "max", "segment"};

	return Py_BuildValue("{s:s, s:s, s:s, s:s, s:s, s:N, s:K, s:d, s:N, s:N}", "name", summary->name, "help",
			     summary->help, "unit", summary->unit, "type",
			     types[summary->type < sizeof(types) / sizeof(types[0]) ? summary->type : 0], "scope",
			     scopes[summary->scope < sizeof(scopes) / sizeof(scopes[0]) ? summary->scope : 0], "labels",
			     texts_of(snapshot, index, summary->labels, 0, 0), "refused", summary->refused, "created",
			     (double)summary->created_ns / 1e9, "bounds", bounds_of(snapshot, index, summary->buckets),
			     "series", series_of(snapshot, index, summary));
}

static PyObject *snapshot_families(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	const struct promcb_snapshot *snapshot = ((struct snapshot *)object)->snapshot;
	struct promcb_family_summary summary;
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && promcb_snapshot_family(snapshot, i, &summary) == 0; i++) {
		PyObject *dict = family_dict(snapshot, i, &summary);

		if (!dict || PyList_Append(list, dict) < 0)
			Py_CLEAR(list);
		Py_XDECREF(dict);
	}
	return list;
}

/* -- Rendering ----------------------------------------------------------------------------------------------------- */

struct buffer {
	char *bytes;
	size_t length, room;
};

static int append(void *context, const void *bytes, size_t length)
{
	struct buffer *buffer = (struct buffer *)context;

	if (length > buffer->room - buffer->length) {
		size_t room = (buffer->room + length) * 2;
		char *larger = (char *)realloc(buffer->bytes, room);

		if (!larger)
			return -ENOMEM;
		buffer->bytes = larger;
		buffer->room = room;
	}
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	return 0;
}

static PyObject *snapshot_render(PyObject *object, PyObject *args, PyObject *keywords)
{
	static char *names[] = {"format", "compat", NULL};
	struct snapshot *self = (struct snapshot *)object;
	struct promcb_render_options options = {.scrape_seconds = self->seconds};
	struct buffer buffer = {NULL, 0, 0};
	const char *name = "text";
	enum promcb_format format;
	PyObject *rendered;
	int is_compat = 1, error;

	if (!PyArg_ParseTupleAndKeywords(args, keywords, "|sp:render", names, &name, &is_compat))
		return NULL;
	if (promcb_format_parse(name, &format) < 0) {
		PyErr_Format(PyExc_ValueError, "unknown format \"%.50s\"", name);
		return NULL;
	}
	if (!is_compat)
		options.flags = PROMCB_RENDER_WITHOUT_COMPAT;
	Py_BEGIN_ALLOW_THREADS error = promcb_render(self->snapshot, format, &options, append, &buffer);
	Py_END_ALLOW_THREADS if (error < 0)
	{
		free(buffer.bytes);
		return raise_error(self->state, error, NULL);
	}
	rendered = PyBytes_FromStringAndSize(buffer.bytes, (Py_ssize_t)buffer.length);
	free(buffer.bytes);
	return rendered;
}

static PyObject *snapshot_info(PyObject *object, PyObject *Py_UNUSED(nothing))
{
	struct promcb_segment_info info;

	promcb_snapshot_info(((struct snapshot *)object)->snapshot, &info);
	return Py_BuildValue(
		"{s:N, s:I, s:I, s:K, s:K, s:d, s:I, s:I, s:I, s:i, s:i, s:i, s:I, s:K, s:K, s:K, s:K, s:K, s:K, s:K,"
		" s:K, s:K}",
		"path", PyUnicode_DecodeFSDefault(info.path), "format_major", info.format_major, "format_minor",
		info.format_minor, "used_bytes", info.used_bytes, "max_bytes", info.max_bytes, "created", info.created,
		"components", info.components, "components_max", info.components_max, "lanes_max", info.lanes_max,
		"lanes_live", info.lanes_live, "lanes_idle", info.lanes_idle, "producers", info.producers,
		"recent_samples", info.recent_samples, "components_rejected", info.components_rejected,
		"overflow_calls", info.overflow_calls, "dropped_calls", info.dropped_calls, "rejected_calls",
		info.rejected_calls, "families", info.families, "series", info.series, "series_rejected",
		info.series_rejected, "rejected_values", info.rejected_values, "dropped_values", info.dropped_values);
}

static PyObject *get_taken(PyObject *object, void *Py_UNUSED(context))
{
	return PyFloat_FromDouble((double)promcb_snapshot_taken_ns(((struct snapshot *)object)->snapshot) / 1e9);
}

static PyMethodDef snapshot_methods[] = {
	{"summaries", snapshot_summaries, METH_NOARGS,
	 "summaries($self, /)\n--\n\n"
	 "All components, sorted by name: a list of dicts. Latencies are seconds, rates percent; None: not known."},
	{"summary", snapshot_summary, METH_O, "summary($self, name, /)\n--\n\nThe same of one component, or None."},
	{"quantile", snapshot_quantile, METH_VARARGS,
	 "quantile($self, name, quantile, /)\n--\n\n"
	 "Seconds that at least this share (0 to 1) of all calls of a component took at most; None without a call."},
	{"families", snapshot_families, METH_NOARGS,
	 "families($self, /)\n--\n\n"
	 "All families: a list of dicts with name, help, unit, type, scope, labels, bounds, and series, a list of\n"
	 "tuples: label values, number (of a histogram, the sum), count, Unix seconds of its creation, buckets\n"
	 "or None."},
	{"info", snapshot_info, METH_NOARGS, "info($self, /)\n--\n\nThe segment as a whole: a dict."},
	{"render", (PyCFunction)(void (*)(void))snapshot_render, METH_VARARGS | METH_KEYWORDS,
	 "render($self, format=\"text\", *, compat=True)\n--\n\n"
	 "Bytes of a format: text, openmetrics, protobuf, json, metrics or health. compat: with the names that only\n"
	 "dashboards of the Python collector use."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef snapshot_attributes[] = {
	{"taken", get_taken, NULL, "Unix seconds of when it was taken.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot snapshot_slots[] = {
	{Py_tp_doc, (void *)"What a segment held at one moment: Segment.snapshot()."},
	{Py_tp_dealloc, (void *)snapshot_free},
	{Py_tp_methods, snapshot_methods},
	{Py_tp_getset, snapshot_attributes},
	{0, NULL},
};

static PyType_Spec snapshot_spec = {
	.name = "promcb.Snapshot",
	.basicsize = sizeof(struct snapshot),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = snapshot_slots,
};

int add_snapshot_type(PyObject *module, struct module_state *state)
{
	return add_type(module, &snapshot_spec, NULL, &state->snapshot_type);
}
