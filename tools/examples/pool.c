/* SPDX-License-Identifier: MIT */
/* pool.c: a pool of connections whose whole /metrics are promcb's. Usage: pool [SECONDS]; promcb-export shows them. */
#include <promcb/metric.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { CONNECTIONS = 4, THREADS = 16 };

static struct promcb_gauge *in_use, *waiting;
static struct promcb_histogram *wait_seconds;
static struct promcb_counter *borrowed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
static int idle = CONNECTIONS;
static time_t end;

static struct promcb_metric_family *declare(struct promcb_family_spec spec)
{
	struct promcb_metric_family *family;

	spec.labels = (const char *const[]){"pool", NULL};
	promcb_family_register(promcb_default(), &spec, &family);
	return family;
}

static void *work(void *unused)
{
	while (time(NULL) < end) {
		uint64_t start = promcb_start();

		promcb_gauge_add(waiting, 1);
		pthread_mutex_lock(&mutex);
		while (idle == 0)
			pthread_cond_wait(&returned, &mutex);
		idle--;
		pthread_mutex_unlock(&mutex);
		promcb_gauge_add(waiting, -1);
		promcb_histogram_observe(wait_seconds, promcb_elapsed_ns(start));
		promcb_counter_add(borrowed, 1);
		promcb_gauge_add(in_use, 1);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* a query */
		promcb_gauge_add(in_use, -1);
		pthread_mutex_lock(&mutex);
		idle++;
		pthread_cond_signal(&returned);
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

int main(int argc, char **argv)
{
	const char *const orders[] = {"orders", NULL};
	pthread_t threads[THREADS];

	end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	promcb_gauge_with(declare((struct promcb_family_spec){.name = "pool_connections_in_use", .type = PROMCB_GAUGE}),
			  orders, &in_use);
	promcb_gauge_with(declare((struct promcb_family_spec){.name = "pool_waiting", .type = PROMCB_GAUGE}), orders,
			  &waiting);
	promcb_counter_with(declare((struct promcb_family_spec){.name = "pool_borrowed_total", .type = PROMCB_COUNTER}),
			    orders, &borrowed);
	promcb_histogram_with(
		declare((struct promcb_family_spec){
			.name = "pool_wait_seconds", .unit = "seconds", .type = PROMCB_HISTOGRAM, .decimals = 9}),
		orders, &wait_seconds);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
