/* SPDX-License-Identifier: MIT */
/*
 * native.c: the room of native.h.
 *
 * Invariants
 *   - bucket(x) is the only b with upper(b - 1) < x <= upper(b), for every schema, all decimals, and all x.
 *   - Each boundary of a schema is one of the next schema too, so one table of an octave at schema 5 serves all.
 *   - No table comes from libm: bucket_reference.py makes them from whole-number roots, and this room's test holds the
 *     results against every boundary, one unit below it and one above.
 */
#include "base/native.h"

enum { MANTISSA_BITS = 52, BIAS = 1023, STEPS = 1 << PROMCB_NATIVE_SCHEMA_MAX, FEW_BUCKETS = 20 };

/* 2^(k/32), rounded to the nearest double. */
static const double octave[STEPS] = {
	0x1.0000000000000p+0, 0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0, 0x1.11301d0125b51p+0, 0x1.172b83c7d517bp+0,
	0x1.1d4873168b9aap+0, 0x1.2387a6e756238p+0, 0x1.29e9df51fdee1p+0, 0x1.306fe0a31b715p+0, 0x1.371a7373aa9cbp+0,
	0x1.3dea64c123422p+0, 0x1.44e086061892dp+0, 0x1.4bfdad5362a27p+0, 0x1.5342b569d4f82p+0, 0x1.5ab07dd485429p+0,
	0x1.6247eb03a5585p+0, 0x1.6a09e667f3bcdp+0, 0x1.71f75e8ec5f74p+0, 0x1.7a11473eb0187p+0, 0x1.82589994cce13p+0,
	0x1.8ace5422aa0dbp+0, 0x1.93737b0cdc5e5p+0, 0x1.9c49182a3f090p+0, 0x1.a5503b23e255dp+0, 0x1.ae89f995ad3adp+0,
	0x1.b7f76f2fb5e47p+0, 0x1.c199bdd85529cp+0, 0x1.cb720dcef9069p+0, 0x1.d5818dcfba487p+0, 0x1.dfc97337b9b5fp+0,
	0x1.ea4afa2a490dap+0, 0x1.f50765b6e4540p+0,
};

/* The mantissa of 10^decimals x 2^(k/32), rounded down: the octave that begins at 1, in units of 10^-decimals. */
static const struct unit {
	uint32_t decimals;
	int32_t exponent;       /* of 10^decimals */
	double scale;
	uint64_t thresholds[STEPS];
} units[] = {
	{0,
	 0,
	 1e0,
	 {
		 0x0000000000000u, 0x059b0d3158574u, 0x0b5586cf9890fu, 0x11301d0125b50u, 0x172b83c7d517au,
		 0x1d4873168b9aau, 0x2387a6e756238u, 0x29e9df51fdee1u, 0x306fe0a31b715u, 0x371a7373aa9cau,
		 0x3dea64c123422u, 0x44e086061892du, 0x4bfdad5362a27u, 0x5342b569d4f81u, 0x5ab07dd485429u,
		 0x6247eb03a5584u, 0x6a09e667f3bccu, 0x71f75e8ec5f73u, 0x7a11473eb0186u, 0x82589994cce12u,
		 0x8ace5422aa0dbu, 0x93737b0cdc5e4u, 0x9c49182a3f090u, 0xa5503b23e255cu, 0xae89f995ad3adu,
		 0xb7f76f2fb5e46u, 0xc199bdd85529cu, 0xcb720dcef9069u, 0xd5818dcfba487u, 0xdfc97337b9b5eu,
		 0xea4afa2a490d9u, 0xf50765b6e4540u,
	 }},
	{3,
	 9,
	 1e3,
	 {
		 0xf400000000000u, 0xfef2d5c4608a7u, 0x051185a6bafd9u, 0x0ac8fc531ed2cu, 0x10a07eb126191u,
		 0x1698c06404550u, 0x1cb278fdea1ebu, 0x22ee641611fa7u, 0x294d415f48ccau, 0x2fcfd4bef49cfu,
		 0x3676e6649c6e9u, 0x3d4342e1f3ff5u, 0x4435bb436e52au, 0x4b4f252959fa4u, 0x52905ae18a230u,
		 0x59fa3b818f783u, 0x618dab0184065u, 0x694b92576d537u, 0x7134df9337f7du, 0x794a85fb5013eu,
		 0x818d7e29da116u, 0x89fec62a8f341u, 0x929f6199418ecu, 0x9b7059c10b07cu, 0xa472bdbc2b2b7u,
		 0xada7a29497a11u, 0xb7102365432acu, 0xc0ad617c1f306u, 0xca80847cdbeabu, 0xd48aba846b5bau,
		 0xdecd384d4b574u, 0xe94939549afa0u,
	 }},
	{6,
	 19,
	 1e6,
	 {
		 0xe848000000000u, 0xf2f924c1c6473u, 0xfde63909a5373u, 0x048846692c19du, 0x0a3cbbb8ff348u,
		 0x10112be1ac3b0u, 0x16064a27f6a1fu, 0x1c1ccdbd8d8e9u, 0x225571d70d17du, 0x28b0f5c27ae15u,
		 0x2f301cfe40c3fu, 0x35d3af50a8476u, 0x3c9c78dfd9bcbu, 0x438b4a4a61de6u, 0x4aa0f8c040e63u,
		 0x51de5e1c861b6u, 0x594458ff7aee3u, 0x60d3cce960c37u, 0x688da255c4a80u, 0x7072c6d76c336u,
		 0x78842d34def4fu, 0x80c2cd858fd8eu, 0x892fa54faa057u, 0x91cbb7a684c59u, 0x9a980d49c2287u,
		 0xa395b4c51c134u, 0xacc5c290e397cu, 0xb629513336754u, 0xbfc18161eec33u, 0xc98f7a2550d78u,
		 0xd39468fb7b933u, 0xddd181fc9f583u,
	 }},
	{9,
	 29,
	 1e9,
	 {
		 0xdcd6500000000u, 0xe7474de53ba18u, 0xf1f2d3b36b57fu, 0xfcda29856a228u, 0x03ff4f52a9394u,
		 0x09b0c4da6231au, 0x0f82246b06da2u, 0x157420eb1c3d4u, 0x1b87712c02c94u, 0x21bccfffec000u,
		 0x2814fc504b3f6u, 0x2e90b934c455bu, 0x3530ce0a9aa24u, 0x3bf6068ca3933u, 0x42e132ebbf60cu,
		 0x49f327e7daf6cu, 0x512cbee97e0cau, 0x588ed61be87eeu, 0x601a5087c20c1u, 0x67d0162e5faa3u,
		 0x6fb11425a1bb3u, 0x77be3cb46e79cu, 0x7ff8876fcc095u, 0x8860f1589da8fu, 0x90f87cfa079b7u,
		 0x99c032887d6adu, 0xa2b920017e423u, 0xabe4594c032e8u, 0xb542f859a32aau, 0xbed61d4870f27u,
		 0xc89eee8596adcu, 0xd29e98f0b39c2u,
	 }},
};

static const struct unit *find_unit(uint32_t decimals)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].decimals == decimals)
			return &units[i];
	return NULL;
}

double promcb_native_bound(uint32_t schema, int32_t index)
{
	/* Counted from far below, so that the division rounds down. */
	uint32_t above = (uint32_t)(index + (1024 << schema));
	double bound = octave[(above & ((1u << schema) - 1)) << (PROMCB_NATIVE_SCHEMA_MAX - schema)];
	uint64_t bits;

	memcpy(&bits, &bound, sizeof(bits));
	bits += (uint64_t)(above >> schema) << MANTISSA_BITS;
	bits -= (uint64_t)1024 << MANTISSA_BITS;
	memcpy(&bound, &bits, sizeof(bound));
	return bound;
}

int32_t promcb_native_index(uint32_t schema, double value)
{
	uint64_t bits, mantissa;
	int32_t index;

	memcpy(&bits, &value, sizeof(bits));
	mantissa = bits & (((uint64_t)1 << MANTISSA_BITS) - 1);
	index = ((int32_t)(bits >> MANTISSA_BITS) - BIAS) * (1 << schema);
	for (uint32_t k = 0; k < STEPS; k += STEPS >> schema)
		index += units[0].thresholds[k] < mantissa;
	return index;
}

/* The index of the greatest bound that is not above the value; bounds count as the doubles that they are said as. */
static int32_t bound_below(uint32_t schema, double value)
{
	int32_t index = promcb_native_index(schema, value);

	return promcb_native_bound(schema, index) == value ? index : index - 1;
}

/* The word for the slot [begin, end) of the mantissa, with bucket 1 at native index `first`: see bucket3.h. */
static uint64_t make_word(const struct unit *unit, uint32_t schema, int32_t first, uint64_t begin, uint64_t end)
{
	const uint64_t none = UINT64_MAX;
	uint64_t least = none, threshold = none;
	int32_t least_index = 0, index = 0;

	for (uint32_t k = 0; k < STEPS; k += STEPS >> schema) {
		uint64_t here = unit->thresholds[k];
		/* What lies in the next octave lies as far into this one, an octave's buckets earlier. */
		bool wrapped = here < unit->thresholds[0];
		int32_t its = (int32_t)(k >> (PROMCB_NATIVE_SCHEMA_MAX - schema)) - (wrapped ? 1 << schema : 0);

		if (here < least) {
			least = here;
			least_index = its;
		}
		if (here >= begin && here < threshold) {
			threshold = here;
			index = its;
		}
	}
	/* Without a boundary in the slot all of it belongs to the next one's: a threshold that it does not exceed. */
	if (threshold == none)
		index = least_index + (1 << schema);
	if (threshold > end)
		threshold = end;
	uint64_t bucket_after = (uint64_t)((int64_t)index - first + 2);

	return (bucket_after << (MANTISSA_BITS - schema)) - (threshold + 1) -
	       ((uint64_t)(unit->exponent + BIAS) << MANTISSA_BITS);
}

bool promcb_native_make(struct promcb_native *native, uint32_t schema, uint32_t decimals, double smallest,
			double largest)
{
	const struct unit *unit = find_unit(decimals);
	uint32_t width = MANTISSA_BITS - schema - 1;
	int32_t below, last;

	if (!unit || schema > PROMCB_NATIVE_SCHEMA_MAX || !(smallest >= PROMCB_NATIVE_LEAST) || !(smallest < largest) ||
	    !(largest <= PROMCB_NATIVE_MOST))
		return false;
	below = bound_below(schema, smallest);
	last = bound_below(schema, largest);
	last += promcb_native_bound(schema, last) != largest;
	if (last - below > PROMCB_NATIVE_BUCKETS_MAX - 2)
		return false;
	*native = (struct promcb_native){
		/* No two bounds are as near to one another. */
		.low = promcb_native_bound(schema, below) * unit->scale * 0.99,
		.high = promcb_native_bound(schema, last) * unit->scale * 1.01,
		.slot_shift = width,
		.slot_mask = (2u << schema) - 1,
		.bucket_shift = MANTISSA_BITS - schema,
		.buckets = (uint32_t)(last - below) + 2,
		.first = below + 1,
		.schema = schema,
	};
	for (uint32_t slot = 0; slot <= native->slot_mask; slot++)
		native->words[slot] =
			make_word(unit, schema, native->first, (uint64_t)slot << width, (uint64_t)(slot + 1) << width);
	return true;
}

bool promcb_native_is_whole(const struct promcb_native *native, uint32_t decimals)
{
	const struct unit *unit = find_unit(decimals);

	return unit && promcb_native_upper(native, native->buckets - 2) * unit->scale < 0x1p53;
}

uint32_t promcb_native_classic(const struct promcb_native *native, uint32_t classic_schema, uint32_t bucket)
{
	uint32_t schema = native->schema, last = native->buckets - 1;
	uint32_t step = 1u << (schema - (classic_schema < schema ? classic_schema : schema));
	/* Counted from far below, so that the rest is what lies above a multiple. */
	uint32_t above = (uint32_t)(native->first + (int32_t)bucket - 1 + (1024 << schema)) % step;

	if (native->buckets > FEW_BUCKETS && above)
		bucket += step - above;
	return bucket < last ? bucket : last;
}

uint64_t promcb_bound_whole(double bound, uint32_t decimals)
{
	double scale = 1, least;
	uint64_t number;

	for (uint32_t i = 0; i < decimals; i++)
		scale *= 10;
	least = bound * scale;
	if (!(least >= 0))
		return 0;
	if (least >= 0x1p53)
		return least < 0x1p64 ? (uint64_t)least : UINT64_MAX;
	number = (uint64_t)least;
	/* Quotients of whole numbers round to the double that is read; the product may be off by one. */
	if ((double)(number + 1) / scale <= bound)
		number++;
	return number > 0 && (double)number / scale > bound ? number - 1 : number;
}
