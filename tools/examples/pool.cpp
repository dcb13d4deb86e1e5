// SPDX-License-Identifier: MIT
// pool.cpp: a pool of connections whose whole /metrics are promcb's. Usage: pool [SECONDS]; promcb-export shows them.
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <promcb/promcb.hpp>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

class Pool
{
      public:
	Pool(const promcb::Segment &metrics, const char *name, int connections)
		: idle_(connections), in_use_(family<promcb::Gauge>(metrics, "pool_connections_in_use").with(name)),
		  waiting_(family<promcb::Gauge>(metrics, "pool_waiting").with(name)),
		  borrowed_(family<promcb::Counter>(metrics, "pool_borrowed_total").with(name)),
		  wait_(promcb::HistogramFamily(metrics, promcb::Spec("pool_wait_seconds", "Wait for a connection.")
								 .unit("seconds").decimals(9).labels({"pool"}))
				.with(name))
	{
	}

	template <class Work> void with_connection(Work work)
	{
		{
			promcb::Held waiting(waiting_);
			promcb::Timer timer(wait_);
			std::unique_lock lock(mutex_);
			returned_.wait(lock, [this] { return idle_ > 0; });
			idle_--;
		}
		borrowed_.add();
		{
			promcb::Held in_use(in_use_);
			work();
		}
		std::lock_guard lock(mutex_);
		idle_++;
		returned_.notify_one();
	}

      private:
	template <class Series> static promcb::Family<Series> family(const promcb::Segment &metrics, const char *name)
	{
		return promcb::Family<Series>(metrics, promcb::Spec(name).labels({"pool"}));
	}

	std::mutex mutex_;
	std::condition_variable returned_;
	int idle_;
	promcb::Gauge in_use_, waiting_;
	promcb::Counter borrowed_;
	promcb::Histogram wait_;
};

int main(int argc, char **argv)
{
	promcb::Segment metrics;
	Pool pool(metrics, "orders", 4);
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 10);
	std::vector<std::thread> threads;

	for (int i = 0; i < 16; i++)
		threads.emplace_back([&] {
			while (std::chrono::steady_clock::now() < end)
				pool.with_connection([] { std::this_thread::sleep_for(1ms); }); // a query
		});
	for (auto &thread : threads)
		thread.join();
}
