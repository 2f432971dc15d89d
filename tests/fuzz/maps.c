/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: id maps, from the words of --uid-map and --gid-map to the plan's ranges. The input
 * is a byte of choices and the two words, with a NUL between them. Who is ordinary has two blocks
 * of ids to map besides his own; nothing else may ever come out, and for nobody what the kernel
 * would refuse.
 */
#include "fuzz.h"
#include "spec/parser.h"
#include "spec/plan.h"

enum choice {
	CHOICE_ROOT_USER = 1 << 0, /* real root plans */
	CHOICE_MAP_ROOT = 1 << 1,
	CHOICE_MAP_CURRENT = 1 << 2,
	CHOICE_MAP_AUTO = 1 << 3, /* instead of the two words */
	CHOICE_UID = 1 << 4,
	CHOICE_DROP = 1 << 5,
};

static struct subid_range allowed[] = { { 100000, 65536 }, { 4294967000u, 295 } };

/* A number of at most @max, of digits only; the rest of the text behind it. */
static bool slow_number(const char **text, uint64_t max, uint64_t *ret_number)
{
	size_t digits = strspn(*text, "0123456789");
	unsigned __int128 number = 0;

	if (!digits || digits > 11)
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (unsigned)((*text)[i] - '0');
	*text += digits;
	*ret_number = (uint64_t)number;
	return number <= max;
}

/* Is the whole of @text a list of maps? */
static bool slow_map(const char *text)
{
	for (;;) {
		uint64_t inside, outside, count;

		if (!slow_number(&text, UINT32_MAX - 1, &inside) || *text++ != ':' ||
		    !slow_number(&text, UINT32_MAX - 1, &outside) || *text++ != ':' ||
		    !slow_number(&text, UINT32_MAX, &count))
			return false;
		if (!count || inside + count > UINT32_MAX || outside + count > UINT32_MAX)
			return false;
		if (!*text)
			return true;
		if (*text++ != ',')
			return false;
	}
}

static bool meet(uint64_t first, uint64_t count, uint64_t other, uint64_t other_count)
{
	return (first <= other && other - first < count) ||
	       (other <= first && first - other < other_count);
}

static bool is_allowed(uint64_t first, uint64_t count)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (first >= allowed[i].first &&
		    first + count <= (uint64_t)allowed[i].first + allowed[i].count)
			return true;
	return first == 1000 && count == 1; /* the own id */
}

static void check_map(const struct plan_map *map, uint32_t command, bool is_root)
{
	char text[2 * IDMAP_MAX_TEXT];
	struct str_buf buf = { .data = text, .size = sizeof(text) };
	uint32_t outside, inside;

	require(map->count >= 1 && map->count <= IDMAP_MAX_RANGES);
	for (size_t i = 0; i < map->count; i++) {
		const struct id_range *range = &map->ranges[i];

		require(range->count && (uint64_t)range->inside + range->count <= UINT32_MAX &&
			(uint64_t)range->outside + range->count <= UINT32_MAX);
		require(is_root || is_allowed(range->outside, range->count));
		for (size_t j = 0; j < i; j++)
			require(!meet(range->inside, range->count, map->ranges[j].inside,
				      map->ranges[j].count) &&
				!meet(range->outside, range->count, map->ranges[j].outside,
				      map->ranges[j].count));
	}
	idmap_text(map->ranges, map->count, &buf);
	require(buf.length < IDMAP_MAX_TEXT);
	require(idmap_outside(map->ranges, map->count, command, &outside));
	require(idmap_inside(map->ranges, map->count, outside, &inside) && inside == command);
}

static void check_plan(const struct spec *spec, unsigned choices)
{
	bool is_root = choices & CHOICE_ROOT_USER;
	struct cloche_error err = ERROR_INIT;
	struct facts facts;
	struct plan plan;
	int r;

	fuzz_facts(&facts, is_root);
	facts.subuids = (struct subids){ true, allowed, ARRAY_SIZE(allowed) };
	facts.subgids = facts.subuids;
	facts.newuidmap_dir = "/usr/bin";
	r = plan_make(&plan, spec, &facts, &err);
	require((r < 0) == (err.code != ERROR_NONE));
	if (r == 0) {
		bool own_only = plan.ids.writer == MAPS_BY_CHILD;

		check_map(&plan.ids.uid, plan.inner_uid, is_root);
		check_map(&plan.ids.gid, plan.inner_gid, is_root);
		require(own_only == plan.writes_id_maps);
		require(!own_only || (plan.ids.uid.count == 1 && plan.ids.gid.count == 1 &&
				      plan.ids.uid.ranges[0].outside == facts.uid &&
				      plan.ids.gid.ranges[0].outside == facts.gid));
		require(own_only || (plan.ids.writer == MAPS_BY_SUPERVISOR) == is_root);
	} else {
		require(err.use >= 0 && (size_t)err.use < spec->use_count);
	}
	plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char program[] = "cloche", uid_map[] = "--uid-map", gid_map[] = "--gid-map",
		    map_root[] = "--map-root", map_current[] = "--map-current",
		    map_auto[] = "--map-auto", uid[] = "--uid", seven[] = "7",
		    drop[] = "--drop-groups", command[] = "COMMAND";
	unsigned choices = size ? data[0] : 0;
	char *text = fuzz_text(data + (size ? 1 : 0), size ? size - 1 : 0);
	char *gid_text = text + strlen(text), *words[16] = { program };
	struct cloche_error err = ERROR_INIT;
	struct spec spec = { .personality = personality_find("cloche") };
	size_t count = 1;
	bool good;
	int r;

	if (size && gid_text < text + size - 1)
		gid_text++;
	good = choices & CHOICE_MAP_AUTO || (slow_map(text) && slow_map(gid_text));
	if (choices & CHOICE_MAP_AUTO) {
		words[count++] = map_auto;
	} else {
		words[count++] = uid_map;
		words[count++] = text;
		words[count++] = gid_map;
		words[count++] = gid_text;
	}
	if (choices & CHOICE_MAP_ROOT)
		words[count++] = map_root;
	if (choices & CHOICE_MAP_CURRENT)
		words[count++] = map_current;
	if (choices & CHOICE_UID) {
		words[count++] = uid;
		words[count++] = seven;
	}
	if (choices & CHOICE_DROP)
		words[count++] = drop;
	words[count] = command;
	r = spec_parse(&spec, words, &err);
	require((r == 0) == good);
	if (r == 0)
		check_plan(&spec, choices);
	else
		require(err.code == ERROR_INVALID_MAP && err.use == (slow_map(text) ? 1 : 0));
	spec_free(&spec);
	free(text);
	return 0;
}
