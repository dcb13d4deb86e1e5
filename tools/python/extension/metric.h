/* SPDX-License-Identifier: MIT */
/*
 * metric.h: a family of counters, levels, gauges, histograms or infos, and one series of it.
 *
 * One struct is both: without labels it is the family and its only series; with labels it is the family, and labels()
 * gives another that is a series. family.c makes them and finds children, metric.c counts.
 */
#ifndef PROMCB_PYTHON_METRIC_H
#define PROMCB_PYTHON_METRIC_H

#include "module.h"

struct metric {
	PyObject_HEAD struct module_state *state;
	struct promcb_metric_family *family;
	void *series;           /* NULL: a family with labels, or nothing yet */
	PyObject *segment;
	PyObject *name;
	PyObject *labelnames;   /* tuple of str */
	PyObject *labelvalues;  /* tuple of str; of a family with labels, empty */
	PyObject *children;     /* dict: the one label's value, or a tuple of values -> child */
	PyObject *error;        /* str: why nothing is counted; or None */
	enum promcb_metric_type type;
	int has_doubles;
	int has_zero;           /* of gauges: there, and 0, once made */
};

int metric_init(PyObject *self, PyObject *args, PyObject *keywords, enum promcb_metric_type type);
int metric_traverse(PyObject *self, visitproc visit, void *arg);
int metric_clear(PyObject *self);
void metric_free(PyObject *self);

PyObject *metric_labels(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *metric_remove(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *metric_clear_all(PyObject *self, PyObject *nothing);
PyObject *metric_reset(PyObject *self, PyObject *nothing);

extern PyGetSetDef metric_attributes[];

#endif
