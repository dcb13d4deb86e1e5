// SPDX-License-Identifier: MIT
// cache.cpp: a cache whose whole /metrics are promcb's. Usage: cache [LOOKUPS]; promcb-export shows them.
#include <cstdlib>
#include <promcb/promcb.hpp>
#include <random>
#include <string>
#include <unordered_map>

class Cache
{
      public:
	explicit Cache(const promcb::Segment &metrics, size_t entries)
		: most_(entries),
		  lookups_(promcb::CounterFamily(metrics, promcb::Spec("cache_lookups_total", "Look-ups, by what they found.")
								  .enumerated("result", {"hit", "miss"}))
				   .with()),
		  evicted_(promcb::CounterFamily(metrics, promcb::Spec("cache_evictions_total")).with()),
		  bytes_(promcb::GaugeFamily(metrics, promcb::Spec("cache_bytes").unit("bytes")).with()),
		  sizes_(promcb::HistogramFamily(metrics, promcb::Spec("cache_entry_bytes").unit("bytes").buckets(2, 64, 16384))
				 .with())
	{
	}

	template <class Load> const std::string &look_up(unsigned key, Load load)
	{
		auto found = entries_.find(key);

		lookups_.add_at(found == entries_.end());
		if (found != entries_.end())
			return found->second;
		if (entries_.size() >= most_) {
			bytes_.add(-static_cast<double>(entries_.begin()->second.size()));
			entries_.erase(entries_.begin());
			evicted_.add();
		}
		const std::string &value = entries_.emplace(key, load(key)).first->second;

		bytes_.add(static_cast<double>(value.size()));
		sizes_.observe(value.size());
		return value;
	}

      private:
	size_t most_;
	std::unordered_map<unsigned, std::string> entries_;
	promcb::Counter lookups_, evicted_;
	promcb::Gauge bytes_;
	promcb::Histogram sizes_;
};

int main(int argc, char **argv)
{
	promcb::Segment metrics;
	Cache cache(metrics, 256);
	std::minstd_rand random;

	for (int left = argc > 1 ? std::atoi(argv[1]) : 100000; left > 0; left--)
		cache.look_up(random() % 1000, [&](unsigned) { return std::string(64 + random() % 16000, 'x'); });
}
