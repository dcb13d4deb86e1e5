// SPDX-License-Identifier: MIT
// found.hpp: what a reader finds in the segment at `path`, for a test of promcb.hpp; and checks that are told and counted.
#ifndef PROMCB_FOUND_HPP
#define PROMCB_FOUND_HPP

#include <promcb/reader.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#define CHECK(...)                                                                    \
	do {                                                                          \
		if (!(__VA_ARGS__)) {                                                 \
			std::printf("%s:%d: %s\n", __func__, __LINE__, #__VA_ARGS__); \
			failures++;                                                   \
		}                                                                     \
	} while (0)

static int failures;
static std::string path;

class Found
{
      public:
	Found()
	{
		promcb_message message = {};

		if (promcb_reader_open(path.c_str(), nullptr, &reader_, &message) < 0 ||
		    promcb_reader_snapshot(reader_, nullptr, &snapshot_, &message) < 0) {
			std::printf("cannot be read: %s\n", message.text);
			std::exit(1);
		}
	}
	Found(const Found &) = delete;
	Found &operator=(const Found &) = delete;
	~Found()
	{
		promcb_snapshot_free(snapshot_);
		promcb_reader_close(reader_);
	}

	std::optional<promcb_family_summary> family(const char *name, size_t *index = nullptr) const
	{
		promcb_family_summary family = {};

		for (size_t i = 0; promcb_snapshot_family(snapshot_, i, &family) == 0; i++)
			if (std::strcmp(family.name, name) == 0) {
				if (index)
					*index = i;
				return family;
			}
		return std::nullopt;
	}

	std::optional<promcb_series_summary> series(const char *name, const std::vector<std::string> &values = {}) const
	{
		promcb_series_summary series = {};
		size_t index = 0;

		if (!family(name, &index))
			return std::nullopt;
		for (size_t number = 0; promcb_snapshot_series(snapshot_, index, number, &series) == 0; number++) {
			size_t same = 0;

			while (same < values.size() &&
			       values[same] == promcb_snapshot_label_value(snapshot_, index, number, same))
				same++;
			if (same == values.size())
				return series;
		}
		return std::nullopt;
	}

	/* NaN where there is no such series. */
	double number(const char *name, const std::vector<std::string> &values = {}) const
	{
		auto found = series(name, values);

		return found ? found->number : std::nan("");
	}

	uint64_t count(const char *name, const std::vector<std::string> &values = {}) const
	{
		auto found = series(name, values);

		return found ? found->count : UINT64_MAX;
	}

	promcb_summary component(const char *name) const
	{
		promcb_summary summary = {};

		CHECK(promcb_snapshot_find(snapshot_, name, &summary) == 0);
		return summary;
	}

	promcb_segment_info info() const
	{
		promcb_segment_info info = {};

		promcb_snapshot_info(snapshot_, &info);
		return info;
	}

      private:
	promcb_reader *reader_ = nullptr;
	promcb_snapshot *snapshot_ = nullptr;
};

#endif
