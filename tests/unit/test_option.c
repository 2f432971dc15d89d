/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unit test of the parser, lib/spec/option.c with its table and spec, linked with what those need:
 * words in, spec out.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>

#include "spec/spec.h"
#include "unit.h"

struct parsed {
	const char *words[64]; /* borrowed by the spec */
	struct spec spec;
	struct cloche_error err;
	int r;
};

static void parse_words(struct parsed *parsed, const char *const *words)
{
	*parsed = (struct parsed){ .err = ERROR_INIT };
	for (size_t i = 0; words[i]; i++) {
		CHECK(i + 1 < ARRAY_SIZE(parsed->words));
		parsed->words[i] = words[i];
	}
	parsed->spec.personality = personality_find("cloche");
	parsed->r = spec_parse(&parsed->spec, (char *const *)parsed->words, &parsed->err);
}

static void show_words(const struct parsed *parsed)
{
	for (size_t i = 1; parsed->words[i]; i++)
		fprintf(stderr, "%s ", parsed->words[i]);
	fprintf(stderr, "came to error %d of use %d: ", parsed->err.code, parsed->err.use);
}

#define PARSE(parsed, ...) parse_words(parsed, (const char *const[]){ "cloche", __VA_ARGS__, NULL })

/* As PARSE, of what must be accepted. */
#define ACCEPT(parsed, ...)                                                                        \
	do {                                                                                       \
		PARSE(parsed, __VA_ARGS__);                                                        \
		CHECK_INT((parsed)->r, 0);                                                         \
		CHECK_INT((parsed)->err.code, ERROR_NONE);                                         \
	} while (0)

/* As PARSE, of what must be refused with this code; @blamed is the index of the option, -1 for
 * none. */
#define REFUSE(code_expected, blamed, ...)                                                         \
	do {                                                                                       \
		struct parsed refused;                                                             \
		PARSE(&refused, __VA_ARGS__);                                                      \
		if (refused.err.code != (code_expected) || refused.err.use != (blamed))            \
			show_words(&refused);                                                      \
		CHECK_INT(refused.err.code, code_expected);                                        \
		CHECK_INT(refused.err.use, blamed);                                                \
		CHECK_INT(refused.err.stage, STAGE_OPTIONS);                                       \
		CHECK(refused.r < 0);                                                              \
		spec_free(&refused.spec);                                                          \
	} while (0)

/* ---- command and actions ---- */

static void test_command(void)
{
	struct parsed p;

	ACCEPT(&p, "ls", "-l", "--bind");
	CHECK_STR(p.spec.command[0], "ls");
	CHECK_STR(p.spec.command[1], "-l");
	CHECK_STR(p.spec.command[2], "--bind"); /* behind COMMAND nothing is an option */
	CHECK(!p.spec.command[3]);
	CHECK_INT(p.spec.use_count, 0);
	CHECK_INT(p.spec.action, ACTION_RUN);
	spec_free(&p.spec);
	ACCEPT(&p, "--bare", "--", "--bare", "--");
	CHECK_STR(p.spec.command[0], "--bare");
	CHECK_STR(p.spec.command[1], "--");
	CHECK_INT(p.spec.use_count, 1);
	spec_free(&p.spec);
	ACCEPT(&p, "--bare");
	CHECK(!p.spec.command); /* what that means is decided elsewhere */
	spec_free(&p.spec);
	ACCEPT(&p, "--");
	CHECK(!p.spec.command);
	spec_free(&p.spec);
	ACCEPT(&p, "");
	CHECK_STR(p.spec.command[0], "");
	spec_free(&p.spec);
}

static void test_unset(void)
{
	struct parsed p;

	ACCEPT(&p, "ls");
	for (int flag = 0; flag < FLAG_COUNT; flag++)
		CHECK(!spec_flag(&p.spec, (enum spec_flag)flag));
	CHECK(p.spec.userns2_fd.fd == -1 && !spec_joins(&p.spec, NS_USER));
	CHECK(p.spec.sync_fd_count == 0 && p.spec.block_fd.fd == -1 &&
	      p.spec.userns_block_fd.fd == -1);
	CHECK(p.spec.info_fd.fd == -1 && p.spec.json_status_fd.fd == -1 &&
	      p.spec.seccomp_fd.fd == -1);
	CHECK(p.spec.unshare_user_use == -1 && p.spec.share_user_use == -1);
	CHECK_INT(p.spec.parent, getppid());
	CHECK(!p.spec.uid.is_set && !p.spec.gid.is_set && !p.spec.hostname.text &&
	      !p.spec.chdir.text);
	spec_free(&p.spec);
}

static void test_actions(void)
{
	struct parsed p;

	ACCEPT(&p, "--help", "--no-such-option"); /* reading ends there */
	CHECK_INT(p.spec.action, ACTION_HELP);
	spec_free(&p.spec);
	ACCEPT(&p, "--bare", "--version", "--uid", "x");
	CHECK_INT(p.spec.action, ACTION_VERSION);
	spec_free(&p.spec);
	ACCEPT(&p, "--introspect");
	CHECK_INT(p.spec.action, ACTION_INTROSPECT);
	spec_free(&p.spec);
	ACCEPT(&p, "--print-args", "--bare");
	CHECK_INT(p.spec.action, ACTION_PRINT_ARGS);
	CHECK(spec_flag(&p.spec, FLAG_BARE));
	spec_free(&p.spec);
	ACCEPT(&p, "--explain", "json"); /* the value only with "=" */
	CHECK_INT(p.spec.action, ACTION_EXPLAIN);
	CHECK_STR(p.spec.command[0], "json");
	spec_free(&p.spec);
	ACCEPT(&p, "--explain=json", "--bare", "ls");
	CHECK_INT(p.spec.action, ACTION_EXPLAIN_JSON);
	spec_free(&p.spec);
	REFUSE(ERROR_INVALID_CHOICE, 0, "--explain=yaml");
	REFUSE(ERROR_INVALID_CHOICE, 0, "--explain=");
}

static void test_unknown(void)
{
	static const char *const unknown[] = { "--no-such", "--bin",   "--bindd", "---",
					       "-",	    "-v",      "-bind",	  "---bind",
					       "--Bind",    "--bind ", "--=",	  "--=x" };
	struct parsed p;

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		char *word = strdup(unknown[i]); /* a sanitizer sees a read behind its end */

		CHECK(word != NULL);
		PARSE(&p, "--bare", word, "x", "y");
		CHECK_INT(p.err.code, ERROR_UNKNOWN_OPTION);
		CHECK_INT(p.err.use, -1);
		CHECK_STR(p.err.path, word);
		CHECK(p.err.hint != HINT_NONE);
		spec_free(&p.spec);
		free(word);
	}
}

/* ---- the shape of options ---- */

/* Text that a limit takes. */
static const char *limit_for(const char *meta)
{
	static const struct {
		const char *meta, *text;
	} examples[] = { { "NAME=SOFT:HARD", "nofile=1:2" },
			 { "CLASS[:LEVEL]", "idle" },
			 { "DEV:LIMITS", "8:0:rbps=1" },
			 { "WHERE", "none" },
			 { "SIGNAL", "INT" } };

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		if (strcmp(meta, examples[i].meta) == 0)
			return examples[i].text;
	return "10";
}

/* Text that an option of the network takes. */
static const char *network_value_for(const char *name)
{
	static const struct {
		const char *name, *text;
	} examples[] = { { "net-allow", "tcp:a.test:80" },
			 { "net-deny", "10.0.0.0/8" },
			 { "net-allow-host", "80-90" },
			 { "net-dns", "9.9.9.9" },
			 { "net-host", "a.test=1.2.3.4" },
			 { "publish", "udp:8080:80" },
			 { "net-log", "/x" },
			 { "net-cidr", "10.1.0.0/16" },
			 { "net-mtu", "1500" },
			 { "net-ifname", "tap0" },
			 { "net-mac", "02:00:00:00:00:01" } };

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		if (strcmp(name, examples[i].name) == 0)
			return examples[i].text;
	return "";
}

/* The first of the words that @meta separates by |. */
static const char *first_choice(const char *meta)
{
	static char word[32];

	CHECK(snprintf(word, sizeof(word), "%.*s", (int)strcspn(meta, "|"), meta) > 0);
	return word;
}

/* An argument that every kind accepts, the same for each use of an option. */
static const char *argument_for(const struct option_row *row, int index)
{
	switch (row->arg[index].kind) {
	case KIND_FD:
		return "0";
	case KIND_OFFSET:
		return "boottime:10";
	case KIND_UID:
	case KIND_GID:
	case KIND_OCTAL:
	case KIND_SIZE:
		return "10";
	case KIND_CAP:
		return "CAP_NET_RAW";
	case KIND_IDMAP:
		return "0:10:1";
	case KIND_CHOICE:
		return first_choice(row->arg[index].meta);
	case KIND_STRING:
		if (row->group == GROUP_LIMITS || row->group == GROUP_SUPERVISION)
			return limit_for(row->arg[index].meta);
		if (row->group == GROUP_NETWORK)
			return network_value_for(row->name);
		if (strncmp(row->arg[index].meta, "LIST", 4) == 0)
			return "read,@two";
		if (strcmp(row->name, "secret-fd") == 0)
			return "x";
		return strcmp(row->arg[index].meta, "PORTS") == 0 ? "80" : "/x";
	default:
		return "/x";
	}
}

static bool needs_layers(const struct option_row *row)
{
	return strstr(row->name, "overlay") && strcmp(row->name, "overlay-src") != 0 &&
	       strcmp(row->name, "overlay-size") != 0;
}

/* Must another option follow? */
static bool is_one_shot(const struct option_row *row)
{
	return strcmp(row->name, "perms") == 0 || strcmp(row->name, "size") == 0 ||
	       strcmp(row->name, "overlay-src") == 0 || strcmp(row->name, "idmap") == 0;
}

/* Writes that option; returns the number of words. */
static size_t add_modified(const struct option_row *row, const char **words)
{
	bool is_idmap = strcmp(row->name, "idmap") == 0;

	words[0] = is_idmap				   ? "--bind"
		   : strcmp(row->name, "overlay-src") == 0 ? "--tmp-overlay"
							   : "--tmpfs";
	words[1] = words[2] = "/y";
	return is_idmap ? 3 : 2;
}

static bool ends_reading(const struct option_row *row)
{
	return strcmp(row->name, "help") == 0 || strcmp(row->name, "version") == 0 ||
	       strcmp(row->name, "introspect") == 0;
}

static void test_ports(void)
{
	static const char *const bad[] = { "",	    ",",    "80,",  ",80",    "80,,81", "65536",
					   "-1",    "1-",   "-",    "2-1",    "1-2-3",	" 80",
					   "80 81", "0x50", "http", "000080", "1-65536" };
	struct parsed p;

	ACCEPT(&p, "--connect-tcp", "80,443,8000-8010", "--bind-tcp", "0", "--connect-tcp",
	       "65535");
	CHECK_INT(p.spec.landlock.connect_tcp.count, 4);
	CHECK_INT(p.spec.landlock.connect_tcp.use, 2);
	CHECK(p.spec.landlock.connect_tcp.ranges[1].first == 443 &&
	      p.spec.landlock.connect_tcp.ranges[1].last == 443);
	CHECK(p.spec.landlock.connect_tcp.ranges[2].first == 8000 &&
	      p.spec.landlock.connect_tcp.ranges[2].last == 8010);
	CHECK(p.spec.landlock.connect_tcp.ranges[3].first == 65535);
	CHECK_INT(p.spec.landlock.bind_tcp.count, 1);
	CHECK_INT(p.spec.landlock.bind_tcp.use, 1);
	spec_free(&p.spec);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(ERROR_INVALID_PORTS, 1, "--bare", "--bind-tcp", bad[i]);
}

static void test_isolation(void)
{
	struct parsed p;

	ACCEPT(&p, "x");
	CHECK_INT(p.spec.landlock.isolation, ISOLATION_FULL);
	CHECK(spec_uses_landlock(&p.spec)); /* the scopes */
	spec_free(&p.spec);
	ACCEPT(&p, "--isolation", "try", "--bare", "--isolation", "landlock");
	CHECK_INT(p.spec.landlock.isolation, ISOLATION_LANDLOCK);
	CHECK_INT(p.spec.landlock.isolation_use, 2);
	spec_free(&p.spec);
	ACCEPT(&p, "--isolation", "try", "--isolation", "full");
	CHECK_INT(p.spec.landlock.isolation, ISOLATION_FULL);
	spec_free(&p.spec);
	ACCEPT(&p, "--compat", "bwrap");
	CHECK(!spec_uses_landlock(&p.spec));
	spec_free(&p.spec);
	ACCEPT(&p, "--compat", "bwrap", "--isolation", "try");
	CHECK(spec_uses_landlock(&p.spec));
	spec_free(&p.spec);
	REFUSE(ERROR_INVALID_CHOICE, 0, "--isolation", "none");
}

/* Each row with its arguments: it is read, as one use of that row, with the words as they stand. */
static void test_each_row(const struct option_row *row)
{
	const char *words[16] = { "cloche" };
	char name[64];
	size_t count = 1, first;
	struct parsed p;

	CHECK(snprintf(name, sizeof(name), "--%s", row->name) > 0);
	if (needs_layers(row))
		for (int i = 0; i < 2; i++) {
			words[count++] = "--overlay-src";
			words[count++] = "/layer";
		}
	first = (count - 1) / 2;
	words[count++] = name;
	for (int i = 0; i < row->arg_count && !row->is_optional; i++)
		words[count++] = argument_for(row, i);
	if (is_one_shot(row))
		count += add_modified(row, words + count);
	words[count] = "COMMAND";
	parse_words(&p, words);
	if (p.r < 0)
		fprintf(stderr, "--%s: error %d, %s\n", row->name, p.err.code, p.err.path);
	CHECK_INT(p.r, 0);
	CHECK_INT(p.err.use, -1);
	CHECK(p.spec.use_count >= first + 1);
	CHECK(p.spec.uses[first].row == row);
	CHECK(!p.spec.uses[first].file);
	for (int i = 0; i < row->arg_count && !row->is_optional; i++)
		CHECK_STR(p.spec.uses[first].arg[i], argument_for(row, i));
	if (ends_reading(row))
		CHECK(!p.spec.command);
	else
		CHECK_STR(p.spec.command[0], "COMMAND");
	spec_free(&p.spec);
}

/* Fewer arguments than the row says: the option is blamed, and no word is taken for one. */
static void test_missing_arguments(const struct option_row *row)
{
	char name[64];

	CHECK(snprintf(name, sizeof(name), "--%s", row->name) > 0);
	for (int given = 0; given < row->arg_count && !row->is_optional; given++) {
		const char *words[16] = { "cloche", name };
		struct parsed p;

		for (int i = 0; i < given; i++)
			words[2 + i] = argument_for(row, i);
		parse_words(&p, words);
		CHECK_INT(p.err.code, strcmp(row->name, "overlay-src") == 0
					      ? ERROR_OVERLAY_SRC_WASTED
					      : ERROR_ARGUMENT_MISSING);
		CHECK_INT(p.err.use, 0);
		CHECK_INT(p.r, -EINVAL);
		spec_free(&p.spec);
	}
}

/* --name=VALUE is for options of one argument. */
static void test_value_after_equals(const struct option_row *row)
{
	const char *words[16] = { "cloche" };
	char text[128];
	size_t count = 1, last;
	struct parsed p;

	CHECK(snprintf(text, sizeof(text), "--%s=%s", row->name,
		       row->arg_count ? argument_for(row, 0) : "x") > 0);
	if (needs_layers(row))
		for (int i = 0; i < 2; i++) {
			words[count++] = "--overlay-src";
			words[count++] = "/layer";
		}
	words[count++] = text;
	if (is_one_shot(row))
		count += add_modified(row, words + count);
	words[count] = "COMMAND";
	parse_words(&p, words);
	if (row->arg_count == 1) {
		last = p.spec.use_count - 1 - is_one_shot(row);
		if (p.r < 0)
			show_words(&p);
		CHECK_INT(p.r, 0);
		CHECK_STR(p.spec.uses[last].arg[0], argument_for(row, 0));
		CHECK_STR(p.spec.command[0], "COMMAND");
	} else {
		CHECK_INT(p.r, -EINVAL);
		CHECK_INT(p.err.code, row->arg_count && !needs_layers(row) ? ERROR_UNKNOWN_OPTION
				      : row->arg_count			   ? p.err.code
						       : ERROR_ARGUMENT_UNWANTED);
		CHECK_STR(p.err.path, text);
	}
	spec_free(&p.spec);
}

/* Descriptor 0 is what options are given here: there is nothing to read in it. */
static void empty_stdin(void)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK(null_fd > 0 && dup2(null_fd, 0) == 0);
	close(null_fd);
}

static void test_rows(void)
{
	size_t count;
	const struct option_row *rows = option_rows(&count);

	for (size_t i = 0; i < count; i++) {
		empty_stdin(); /* --args gives it up */
		test_each_row(&rows[i]);
		test_missing_arguments(&rows[i]);
		empty_stdin();
		test_value_after_equals(&rows[i]);
	}
}

static void test_arguments_as_they_look(void)
{
	struct parsed p;

	/* An argument is an argument, whatever it looks like. */
	ACCEPT(&p, "--setenv", "A", "--bare", "--hostname", "--help", "--symlink", "-", "--", "--",
	       "x");
	CHECK_STR(p.spec.env_ops[0].value, "--bare");
	CHECK_STR(p.spec.hostname.text, "--help");
	CHECK_STR(p.spec.ops[0].source, "-");
	CHECK_STR(p.spec.ops[0].dest, "--");
	CHECK_STR(p.spec.command[0], "x");
	spec_free(&p.spec);
	/* The value begins behind the first "=", and may be empty where the kind allows. */
	ACCEPT(&p, "--hostname=a=b", "--chdir==", "--argv0=");
	CHECK_STR(p.spec.hostname.text, "a=b");
	CHECK_STR(p.spec.chdir.text, "=");
	CHECK_STR(p.spec.argv0.text, "");
	spec_free(&p.spec);
}

/* ---- kinds ---- */

static void test_descriptors(void)
{
	static const char *const bad[] = { "",	  "-1", "+1",	      " 1",	    "1 ",
					   "0x1", "1a", "2147483648", "4294967296", "stdin" };
	struct parsed p;

	ACCEPT(&p, "--info-fd", "8", "--block-fd", "007", "--json-status-fd=0");
	CHECK_INT(p.spec.info_fd.fd, 8);
	CHECK_INT(p.spec.info_fd.use, 0);
	CHECK_INT(p.spec.block_fd.fd, 7);
	CHECK_INT(p.spec.json_status_fd.fd, 0);
	CHECK_INT(p.spec.json_status_fd.use, 2);
	spec_free(&p.spec);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		REFUSE(ERROR_INVALID_FD, 1, "--bare", "--sync-fd", bad[i]);
		REFUSE(ERROR_INVALID_FD, 0, "--args", bad[i]);
		REFUSE(ERROR_INVALID_FD, 0, "--bind-fd", bad[i], "/x");
	}
}

static void test_ids(void)
{
	static const char *const bad[] = {
		"",    "-1",   "4294967295", "4294967296", "18446744073709551616",
		"0x0", "root", " 0",	     "1.0",	   "-0"
	};
	struct parsed p;

	ACCEPT(&p, "--uid", "4294967294", "--gid", "0");
	CHECK(p.spec.uid.is_set && p.spec.uid.id == 4294967294u && p.spec.uid.use == 0);
	CHECK(p.spec.gid.is_set && p.spec.gid.id == 0 && p.spec.gid.use == 1);
	spec_free(&p.spec);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		REFUSE(ERROR_INVALID_UID, 0, "--uid", bad[i]);
		REFUSE(ERROR_INVALID_GID, 1, "--uid", "1", "--gid", bad[i]);
	}
}

static void test_octal_and_size(void)
{
	static const char *const bad_modes[] = { "", "8", "0o7", "10000", "-1", "u+x", "0x1ff" };
	static const char *const bad_sizes[] = {
		"", "0", "-1", "1k", "1T", "K", "9223372036854775808", "1.5G"
	};
	struct parsed p;

	ACCEPT(&p, "--chmod", "7777", "/a", "--chmod", "0", "/b", "--overlay-size", "2M",
	       "--root-size=0x1000");
	CHECK_INT(p.spec.ops[0].mode, 07777);
	CHECK_INT(p.spec.ops[1].mode, 0);
	CHECK_INT(p.spec.overlay_size.bytes, 2 << 20);
	CHECK_INT(p.spec.root_size.bytes, 4096);
	spec_free(&p.spec);
	for (size_t i = 0; i < ARRAY_SIZE(bad_modes); i++) {
		REFUSE(ERROR_INVALID_OCTAL, 0, "--perms", bad_modes[i], "--dir", "/x");
		REFUSE(ERROR_INVALID_OCTAL, 0, "--chmod", bad_modes[i], "/x");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_sizes); i++) {
		REFUSE(ERROR_INVALID_SIZE, 0, "--size", bad_sizes[i], "--tmpfs", "/x");
		REFUSE(ERROR_INVALID_SIZE, 0, "--root-size", bad_sizes[i]);
	}
}

static void test_caps(void)
{
	static const char *const net_raw[] = { "CAP_NET_RAW", "cap_net_raw", "Net_Raw",
					       "net_raw",     "cAp_NeT_rAw", "13" };
	static const char *const bad[] = { "",
					   "cap_",
					   "net",
					   "cap_cap_net_raw",
					   "cap_net_raw ",
					   "net_raw,net_admin",
					   "cap_net_raw=ep",
					   "all ",
					   "99999",
					   "-1",
					   "64" };
	struct parsed p;

	for (size_t i = 0; i < ARRAY_SIZE(net_raw); i++) {
		ACCEPT(&p, "--cap-add", net_raw[i], "--cap-drop", "ALL", "--cap-add=all");
		CHECK_INT(p.spec.cap_op_count, 3);
		CHECK(p.spec.cap_ops[0].type == CAP_ADD &&
		      p.spec.cap_ops[0].mask == 1ull << CAP_NET_RAW);
		CHECK(p.spec.cap_ops[1].type == CAP_DROP && p.spec.cap_ops[1].mask == UINT64_MAX);
		CHECK(p.spec.cap_ops[2].type == CAP_ADD && p.spec.cap_ops[2].mask == UINT64_MAX);
		spec_free(&p.spec);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(ERROR_INVALID_CAP, 0, "--cap-drop", bad[i]);
}

static void test_choices(void)
{
	static const char *const bad[] = { "",	"priv",	 "privates", "Private", "private|slave",
					   "|", "shared" };
	struct parsed p;

	ACCEPT(&p, "--propagation", "private");
	CHECK_INT(p.spec.propagation, PROPAGATION_PRIVATE);
	spec_free(&p.spec);
	ACCEPT(&p, "--propagation", "private", "--propagation=slave");
	CHECK_INT(p.spec.propagation, PROPAGATION_SLAVE);
	spec_free(&p.spec);
	ACCEPT(&p, "--compat=bwrap");
	CHECK_STR(p.spec.personality->name, "bwrap");
	spec_free(&p.spec);
	REFUSE(ERROR_INVALID_CHOICE, 0, "--compat", "cloche");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(ERROR_INVALID_CHOICE, 0, "--propagation", bad[i]);
}

static void test_empty_paths(void)
{
	REFUSE(ERROR_EMPTY_PATH, 0, "--bind", "", "/x");
	REFUSE(ERROR_EMPTY_PATH, 0, "--bind", "/x", "");
	REFUSE(ERROR_EMPTY_PATH, 0, "--ro-bind-try", "", "/x");
	REFUSE(ERROR_EMPTY_PATH, 0, "--dir", "");
	REFUSE(ERROR_EMPTY_PATH, 0, "--dir=");
	REFUSE(ERROR_EMPTY_PATH, 0, "--symlink", "x", "");
	REFUSE(ERROR_EMPTY_PATH, 0, "--symlink", "", "/x");
	REFUSE(ERROR_EMPTY_PATH, 1, "--overlay-src", "/l", "--overlay", "/u", "", "/d");
	REFUSE(ERROR_EMPTY_PATH, 0, "--overlay-src", "");
}

static void test_environment_names(void)
{
	struct parsed p;

	ACCEPT(&p, "--setenv", "A", "", "--unsetenv", "B C", "--clearenv", "--keep-env", "LC_*");
	CHECK_INT(p.spec.env_op_count, 4);
	CHECK(p.spec.env_ops[0].type == ENV_SET && p.spec.env_ops[1].type == ENV_UNSET);
	CHECK(p.spec.env_ops[2].type == ENV_CLEAR && p.spec.env_ops[3].type == ENV_KEEP);
	CHECK_STR(p.spec.env_ops[0].name, "A");
	CHECK_STR(p.spec.env_ops[0].value, "");
	CHECK_STR(p.spec.env_ops[1].name, "B C");
	CHECK_STR(p.spec.env_ops[3].name, "LC_*");
	spec_free(&p.spec);
	REFUSE(ERROR_INVALID_ENV_NAME, 0, "--setenv", "", "x");
	REFUSE(ERROR_INVALID_ENV_NAME, 0, "--setenv", "A=B", "x");
	REFUSE(ERROR_INVALID_ENV_NAME, 0, "--unsetenv", "A=");
	REFUSE(ERROR_INVALID_ENV_NAME, 0, "--unsetenv", "");
	REFUSE(ERROR_INVALID_ENV_NAME, 0, "--keep-env=", "x");
}

/* By descriptor, or by a path, which has a slash. */
static void test_namespace_references(void)
{
	struct parsed p;

	ACCEPT(&p, "--netns", "0", "--utsns", "./7", "--userns", "/proc/1/ns/user");
	CHECK(spec_joins(&p.spec, NS_NET) && spec_joins(&p.spec, NS_UTS) &&
	      spec_joins(&p.spec, NS_USER) && !spec_joins(&p.spec, NS_IPC));
	CHECK(!p.spec.namespaces.join[NS_NET].path && p.spec.namespaces.join[NS_NET].is_open);
	CHECK_INT(p.spec.namespaces.join[NS_NET].fd, 0);
	CHECK_STR(p.spec.namespaces.join[NS_UTS].path, "./7");
	CHECK_INT(p.spec.namespaces.join[NS_UTS].fd, -1);
	CHECK_INT(p.spec.namespaces.join[NS_USER].use, 2);
	spec_free(&p.spec);
	REFUSE(ERROR_INVALID_NS, 0, "--netns", "net");
	REFUSE(ERROR_INVALID_NS, 0, "--pidns", "");
	REFUSE(ERROR_INVALID_NS, 0, "--timens=2147483648", "x");
}

static void test_time_offsets(void)
{
	struct parsed p;

	ACCEPT(&p, "--time-offset", "boottime:-1.5", "--time-offset", "monotonic:2");
	CHECK_INT(p.spec.namespaces.offset[OFFSET_BOOTTIME].nanoseconds, -1500000000);
	CHECK_INT(p.spec.namespaces.offset[OFFSET_MONOTONIC].nanoseconds, 2000000000);
	CHECK_INT(p.spec.namespaces.offset[OFFSET_MONOTONIC].use, 1);
	CHECK_INT(p.spec.warned_use_count, 0);
	spec_free(&p.spec);
	ACCEPT(&p, "--time-offset", "boottime:1", "--time-offset", "boottime:3");
	CHECK_INT(p.spec.namespaces.offset[OFFSET_BOOTTIME].nanoseconds, 3000000000);
	CHECK_INT(p.spec.warned_use_count, 1);
	spec_free(&p.spec);
	REFUSE(ERROR_INVALID_OFFSET, 0, "--time-offset", "realtime:1");
	REFUSE(ERROR_INVALID_OFFSET, 0, "--time-offset", "boottime:");
	REFUSE(ERROR_INVALID_OFFSET, 0, "--time-offset=5", "x");
}

/* Which were asked for one by one: a later --share-* takes it back. */
static void test_named_namespaces(void)
{
	struct parsed p;

	ACCEPT(&p, "--unshare-all", "--unshare-net", "--unshare-time");
	CHECK_INT(p.spec.namespaces.unshare_named, CLONE_NEWNET | CLONE_NEWTIME);
	CHECK_INT(p.spec.namespaces.unshare_time_use, 2);
	spec_free(&p.spec);
	ACCEPT(&p, "--unshare-net", "--share-net");
	CHECK_INT(p.spec.namespaces.unshare_named, 0);
	spec_free(&p.spec);
}

/* ---- setters ---- */

static void test_flags(void)
{
	static const struct {
		const char *word;
		enum spec_flag flag;
	} flags[] = {
		{ "--verbose", FLAG_VERBOSE },
		{ "--level-prefix", FLAG_LEVEL_PREFIX },
		{ "--assert-userns-disabled", FLAG_ASSERT_USERNS_DISABLED },
		{ "--bare", FLAG_BARE },
		{ "--create-dest", FLAG_CREATE_DEST },
		{ "--not-a-security-boundary", FLAG_NOT_A_BOUNDARY },
		{ "--new-session", FLAG_NEW_SESSION },
		{ "--pty-filter", FLAG_PTY_FILTER },
		{ "--detach", FLAG_DETACH },
		{ "--quiet", FLAG_QUIET },
		{ "--new-keyring", FLAG_NEW_KEYRING },
		{ "--allow-suid", FLAG_ALLOW_SUID },
		{ "--die-with-parent", FLAG_DIE_WITH_PARENT },
		{ "--as-pid-1", FLAG_AS_PID_1 },
		{ "--allow-32bit", FLAG_ALLOW_32BIT },
		{ "--no-suid-create", FLAG_NO_SUID_CREATE },
		{ "--proc-hidepid", FLAG_PROC_HIDEPID },
	};

	CHECK_INT(ARRAY_SIZE(flags), FLAG_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct parsed p;

		ACCEPT(&p, "--chdir", "/", flags[i].word);
		CHECK_INT(p.spec.flag_use[flags[i].flag], 1);
		for (int other = 0; other < FLAG_COUNT; other++)
			CHECK((p.spec.flag_use[other] >= 0) == (other == (int)flags[i].flag));
		spec_free(&p.spec);
	}
}

static void test_namespaces(void)
{
	struct parsed p;

	ACCEPT(&p, "--unshare-pid", "--unshare-net", "--share-net", "--unshare-user-try");
	CHECK_INT(p.spec.unshare, CLONE_NEWPID);
	CHECK_INT(p.spec.unshare_try, CLONE_NEWUSER);
	CHECK_INT(p.spec.share, CLONE_NEWNET);
	CHECK_INT(p.spec.unshare_user_use, -1);
	spec_free(&p.spec);
	/* The last word counts. */
	ACCEPT(&p, "--share-net", "--share-pid", "--unshare-net");
	CHECK_INT(p.spec.unshare, CLONE_NEWNET);
	CHECK_INT(p.spec.share, CLONE_NEWPID);
	spec_free(&p.spec);
	ACCEPT(&p, "--share-net", "--share-user", "--unshare-all");
	CHECK_INT(p.spec.share, 0);
	CHECK_INT(p.spec.unshare, CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
	CHECK_INT(p.spec.unshare_try, CLONE_NEWUSER | CLONE_NEWCGROUP);
	spec_free(&p.spec);
	ACCEPT(&p, "--unshare-all", "--share-net", "--share-cgroup", "--share-user");
	CHECK_INT(p.spec.unshare, CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWUTS);
	CHECK_INT(p.spec.unshare_try, 0);
	CHECK_INT(p.spec.share, CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWUSER);
	CHECK_INT(p.spec.share_user_use, 3);
	spec_free(&p.spec);
	ACCEPT(&p, "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--unshare-user",
	       "--unshare-cgroup-try");
	CHECK_INT(p.spec.unshare, CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWUSER);
	CHECK_INT(p.spec.unshare_try, CLONE_NEWCGROUP);
	CHECK_INT(p.spec.unshare_user_use, 3);
	spec_free(&p.spec);
	ACCEPT(&p, "--share-ipc", "--share-uts", "--disable-userns", "--allow-userns");
	CHECK_INT(p.spec.share, CLONE_NEWIPC | CLONE_NEWUTS);
	CHECK_INT(p.spec.userns_limit, USERNS_ALLOW);
	CHECK_INT(p.spec.userns_limit_use, 3);
	spec_free(&p.spec);
}

static void check_op(const struct fs_op *op, enum fs_op_type type, const char *source,
		     const char *dest, int flags)
{
	CHECK_INT(op->type, type);
	CHECK_STR(op->source, source);
	CHECK_STR(op->dest, dest);
	CHECK_INT(op->flags, flags);
}

static void test_operations(void)
{
	static const struct {
		const char *word;
		int flags;
	} binds[] = {
		{ "--bind", 0 },
		{ "--bind-try", BIND_TRY },
		{ "--dev-bind", BIND_DEV },
		{ "--dev-bind-try", BIND_DEV | BIND_TRY },
		{ "--ro-bind", BIND_RO },
		{ "--ro-bind-try", BIND_RO | BIND_TRY },
	};
	static const struct {
		const char *word;
		enum fs_op_type type;
	} places[] = {
		{ "--remount-ro", OP_REMOUNT_RO }, { "--proc", OP_PROC },     { "--dev", OP_DEV },
		{ "--tmpfs", OP_TMPFS },	   { "--mqueue", OP_MQUEUE }, { "--dir", OP_DIR },
	};
	struct parsed p;

	for (size_t i = 0; i < ARRAY_SIZE(binds); i++) {
		ACCEPT(&p, binds[i].word, "/s", "d");
		check_op(&p.spec.ops[0], OP_BIND, "/s", "d", binds[i].flags);
		CHECK(p.spec.ops[0].fd == -1 && p.spec.ops[0].mode == MODE_UNSET &&
		      p.spec.ops[0].use == 0);
		spec_free(&p.spec);
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		ACCEPT(&p, places[i].word, "/p");
		check_op(&p.spec.ops[0], places[i].type, NULL, "/p", 0);
		CHECK(p.spec.ops[0].mode == MODE_UNSET && p.spec.ops[0].size == 0);
		spec_free(&p.spec);
	}
	ACCEPT(&p, "--symlink", "t", "/l", "--bind-fd", "5", "/a", "--ro-bind-fd", "6", "/b",
	       "--lock-file", "/lock");
	check_op(&p.spec.ops[0], OP_SYMLINK, "t", "/l", 0);
	check_op(&p.spec.ops[1], OP_BIND_FD, NULL, "/a", 0);
	check_op(&p.spec.ops[2], OP_BIND_FD, NULL, "/b", BIND_RO);
	CHECK(p.spec.ops[1].fd == 5 && p.spec.ops[2].fd == 6 && p.spec.ops[2].use == 2);
	CHECK_STR(p.spec.lock_files[0].path, "/lock");
	CHECK_INT(p.spec.op_count, 3);
	spec_free(&p.spec);
	ACCEPT(&p, "--file", "5", "/a", "--bind-data", "6", "/b", "--ro-bind-data", "7", "/c");
	CHECK(p.spec.ops[0].type == OP_FILE && p.spec.ops[1].type == OP_DATA &&
	      p.spec.ops[2].type == OP_DATA_RO);
	CHECK(p.spec.ops[0].fd == 5 && p.spec.ops[1].fd == 6 && p.spec.ops[2].fd == 7);
	spec_free(&p.spec);
}

static void test_here(void)
{
	char cwd[4096];
	struct parsed p;

	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	ACCEPT(&p, "--here", "ls");
	check_op(&p.spec.ops[0], OP_BIND, cwd, cwd, 0);
	CHECK_STR(p.spec.chdir.text, cwd);
	spec_free(&p.spec);
}

static void check_fds(const int *fds, size_t count, const int *expected, size_t expected_count)
{
	CHECK_INT(count, expected_count);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(fds[i], expected[i]);
}

/* All descriptors that options name are noted, so that COMMAND gets none of them. */
static void test_consumed_fds(void)
{
	const int expected[] = { 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24 };
	const int synced[] = { 13, 23 };
	struct parsed p;

	ACCEPT(&p, "--userns", "10", "--userns2", "11", "--pidns", "12", "--sync-fd", "13",
	       "--block-fd", "14", "--userns-block-fd", "15", "--info-fd", "16", "--json-status-fd",
	       "17", "--bind-fd", "18", "/a", "--ro-bind-fd", "19", "/b", "--file", "20", "/c",
	       "--bind-data", "21", "/d", "--ro-bind-data", "22", "/e", "--sync-fd", "23",
	       "--seccomp", "24");
	check_fds(p.spec.consumed_fds, p.spec.consumed_fd_count, expected, ARRAY_SIZE(expected));
	check_fds(p.spec.sync_fds, p.spec.sync_fd_count, synced, ARRAY_SIZE(synced));
	spec_free(&p.spec);
	ACCEPT(&p, "--add-seccomp-fd", "7", "--add-seccomp-fd", "8", "--keep-fd", "0", "--keep-fd",
	       "2");
	check_fds(p.spec.consumed_fds, p.spec.consumed_fd_count, (int[]){ 7, 8 }, 2);
	check_fds(p.spec.keep_fds, p.spec.keep_fd_count, (int[]){ 0, 2 }, 2);
	CHECK(p.spec.add_seccomp_count == 2 && p.spec.add_seccomp_fds[1].fd == 8 &&
	      p.spec.add_seccomp_fds[1].use == 1);
	spec_free(&p.spec);
	REFUSE(ERROR_SECCOMP_WITH_ADD, 1, "--seccomp", "7", "--add-seccomp-fd", "8");
	REFUSE(ERROR_SECCOMP_WITH_ADD, 1, "--add-seccomp-fd", "8", "--seccomp", "7");
}

/* Under our own name a descriptor must be the caller's: open, and not one that we opened. */
static void test_fds_not_open(void)
{
	int own = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char number[16];

	CHECK(own >= 0 && snprintf(number, sizeof(number), "%d", own) > 0);
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--sync-fd", "2147483647");
	REFUSE(ERROR_FD_NOT_OPEN, 1, "--bare", "--info-fd", "2147483647");
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--bind-fd", "2147483647", "/x");
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--file", "2147483647", "/x");
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--seccomp", "2147483647");
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--add-seccomp-fd", "2147483647");
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--keep-fd", "2147483647");
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--block-fd", number);
	REFUSE(ERROR_FD_NOT_OPEN, 0, "--keep-fd", number);
	close(own);
}

/* As bwrap it fails where it is used; until then nothing of ours gets the number. */
static void test_fds_not_open_as_bwrap(void)
{
	struct parsed p;

	CHECK(fcntl(200, F_GETFD) < 0);
	ACCEPT(&p, "--compat=bwrap", "--block-fd", "200", "--info-fd", "2147483647");
	CHECK(p.spec.block_fd.fd == 200 && p.spec.info_fd.fd == INT32_MAX);
	CHECK(!p.spec.block_fd.is_open && !p.spec.info_fd.is_open);
	CHECK_INT(fcntl(200, F_GETFD), FD_CLOEXEC);
	spec_free(&p.spec);
	CHECK(close(200) == 0);
	ACCEPT(&p, "--compat=bwrap", "--block-fd", "7");
	CHECK(p.spec.block_fd.is_open);
	CHECK_INT(fcntl(7, F_GETFD), 0);
	spec_free(&p.spec);
}

/* The last use counts, with a warning for each that takes an earlier one's place. */
static void test_repeats(void)
{
	struct parsed p;

	ACCEPT(&p, "--uid", "1", "--uid", "2", "--chdir", "/a", "--hostname", "h", "--chdir", "/b",
	       "--info-fd", "3", "--info-fd", "4", "--root-size", "1", "--root-size", "2",
	       "--sync-fd", "5", "--sync-fd", "6");
	CHECK_INT(p.spec.uid.id, 2);
	CHECK_STR(p.spec.chdir.text, "/b");
	CHECK_INT(p.spec.info_fd.fd, 4);
	CHECK_INT(p.spec.root_size.bytes, 2);
	check_fds(p.spec.warned_uses, p.spec.warned_use_count, (int[]){ 1, 4, 6, 8 }, 4);
	spec_free(&p.spec);
	ACCEPT(&p, "--exec-label", "a", "--file-label", "b", "--exec-label", "c", "--verbose",
	       "--verbose");
	CHECK_STR(p.spec.exec_label.text, "c");
	CHECK_STR(p.spec.file_label.text, "b");
	check_fds(p.spec.warned_uses, p.spec.warned_use_count, (int[]){ 2 }, 1);
	spec_free(&p.spec);
	REFUSE(ERROR_USED_TWICE, 1, "--argv0", "a", "--argv0", "b");
}

/* ---- one-shot options ---- */

static void test_one_shot(void)
{
	struct parsed p;

	ACCEPT(&p, "--perms", "0700", "--size", "1M", "--tmpfs", "/a", "--tmpfs", "/b", "--size",
	       "2", "--perms", "1", "--tmpfs", "/c", "--perms", "0751", "--dir", "/d", "--dir",
	       "/e", "--perms", "0", "--file", "0", "/f");
	CHECK(p.spec.ops[0].mode == 0700 && p.spec.ops[0].size == 1 << 20);
	CHECK(p.spec.ops[1].mode == MODE_UNSET && p.spec.ops[1].size == 0);
	CHECK(p.spec.ops[2].mode == 01 && p.spec.ops[2].size == 2);
	CHECK(p.spec.ops[3].mode == 0751 && p.spec.ops[4].mode == MODE_UNSET);
	CHECK(p.spec.ops[5].mode == 0);
	spec_free(&p.spec);
	ACCEPT(&p, "--perms", "0600", "--bind-data", "0", "/a", "--perms", "0400", "--ro-bind-data",
	       "0", "/b");
	CHECK(p.spec.ops[0].mode == 0600 && p.spec.ops[1].mode == 0400);
	spec_free(&p.spec);
	REFUSE(ERROR_PERMS_TWICE, 1, "--perms", "0700", "--perms", "0700", "--dir", "/x");
	REFUSE(ERROR_SIZE_TWICE, 1, "--size", "1", "--size", "1", "--tmpfs", "/x");
	REFUSE(ERROR_PERMS_WASTED, 1, "--bare", "--perms", "0700", "--bind", "/a", "/b");
	REFUSE(ERROR_PERMS_WASTED, 0, "--perms", "0700", "--bare");
	REFUSE(ERROR_PERMS_WASTED, 0, "--perms", "0700", "--bogus");
	REFUSE(ERROR_PERMS_WASTED, 0, "--perms", "0700", "ls");
	REFUSE(ERROR_PERMS_WASTED, 0, "--perms", "0700", "--");
	REFUSE(ERROR_PERMS_WASTED, 0, "--perms", "0700");
	REFUSE(ERROR_SIZE_WASTED, 0, "--size", "1", "--dir", "/x");
	REFUSE(ERROR_SIZE_WASTED, 0, "--size", "1", "--perms", "0", "--dir", "/x");
	REFUSE(ERROR_SIZE_WASTED, 0, "--size", "1", "ls");
}

static void test_overlays(void)
{
	struct parsed p;

	ACCEPT(&p, "--overlay-src", "/l1", "--overlay-src", "/l2", "--overlay", "/u", "/w", "/d",
	       "--overlay-src", "/l3", "--tmp-overlay", "/e", "--overlay-src", "/l4",
	       "--overlay-src", "/l5", "--ro-overlay", "/f");
	CHECK_INT(p.spec.op_count, 3);
	check_op(&p.spec.ops[0], OP_OVERLAY, "/u", "/d", OVERLAY_RW);
	CHECK_STR(p.spec.ops[0].work, "/w");
	CHECK(p.spec.ops[0].layer_first == 0 && p.spec.ops[0].layer_count == 2);
	check_op(&p.spec.ops[1], OP_OVERLAY, NULL, "/e", OVERLAY_TMP);
	CHECK(p.spec.ops[1].layer_first == 2 && p.spec.ops[1].layer_count == 1);
	check_op(&p.spec.ops[2], OP_OVERLAY, NULL, "/f", OVERLAY_RO);
	CHECK(p.spec.ops[2].layer_first == 3 && p.spec.ops[2].layer_count == 2);
	CHECK_STR(p.spec.layers[4].path, "/l5");
	CHECK_INT(p.spec.layers[4].use, 6);
	spec_free(&p.spec);
	REFUSE(ERROR_OVERLAY_NO_SRC, 0, "--overlay", "/u", "/w", "/d");
	REFUSE(ERROR_OVERLAY_NO_SRC, 0, "--tmp-overlay", "/d");
	REFUSE(ERROR_OVERLAY_NO_SRC, 1, "--overlay-src", "/l", "--ro-overlay",
	       "/d"); /* it needs two */
	REFUSE(ERROR_OVERLAY_NO_SRC, 2, "--overlay-src", "/l", "--tmp-overlay", "/d",
	       "--tmp-overlay", "/e");
	REFUSE(ERROR_OVERLAY_SRC_WASTED, 1, "--overlay-src", "/k", "--overlay-src", "/l", "--bind",
	       "/a", "/b");
	REFUSE(ERROR_OVERLAY_SRC_WASTED, 0, "--overlay-src", "/l", "ls");
	REFUSE(ERROR_OVERLAY_SRC_WASTED, 0, "--overlay-src", "/l");
}

/* ---- --args ---- */

/* A descriptor with @size bytes of NUL-separated words. */
static int words_fd(const char *words, size_t size)
{
	int fd = memfd_create("words", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(write(fd, words, size) == (ssize_t)size);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static const char *number_text(int number)
{
	static char texts[4][16];
	static unsigned next;
	char *text = texts[next++ % 4];

	CHECK(snprintf(text, sizeof(texts[0]), "%d", number) > 0);
	return text;
}

#define WORDS(words) number_text(words_fd(words, sizeof(words) - 1))

static void test_args(void)
{
	struct parsed p;
	char byte;
	int fd = words_fd("--bind\0/a\0/b\0--chdir=/c", 23);

	ACCEPT(&p, "--bare", "--args", number_text(fd), "--dir", "/d", "ls");
	CHECK(read(fd, &byte, 1) < 0 &&
	      errno == EINVAL); /* given up: nothing else is opened there */
	CHECK_INT(p.spec.use_count, 5);
	CHECK_STR(p.spec.uses[2].row->name, "bind");
	CHECK_STR(p.spec.uses[2].file, strcat((char[16]){ "fd " }, number_text(fd)));
	CHECK(!p.spec.uses[1].file && !p.spec.uses[4].file);
	check_op(&p.spec.ops[0], OP_BIND, "/a", "/b", 0);
	check_op(&p.spec.ops[1], OP_DIR, NULL, "/d", 0);
	CHECK_STR(p.spec.chdir.text, "/c");
	CHECK_STR(p.spec.command[0], "ls");
	spec_free(&p.spec);
	/* A last NUL more or less is the same; nothing is nothing. */
	ACCEPT(&p, "--args", WORDS("--bare\0"), "--args", WORDS(""), "--args",
	       WORDS("--hostname\0h"), "ls");
	CHECK_STR(p.spec.hostname.text, "h");
	CHECK_INT(p.spec.use_count, 5);
	spec_free(&p.spec);
	/* Empty words are words. */
	ACCEPT(&p, "--args", WORDS("--setenv\0A\0\0--hostname\0\0"), "ls");
	CHECK_STR(p.spec.env_ops[0].value, "");
	CHECK_STR(p.spec.hostname.text, "");
	spec_free(&p.spec);
	/* One-shot options reach across. */
	ACCEPT(&p, "--perms", "0700", "--args", WORDS("--size\0001\0"), "--tmpfs", "/t");
	CHECK(p.spec.ops[0].mode == 0700 && p.spec.ops[0].size == 1);
	spec_free(&p.spec);
}

static void test_args_errors(void)
{
	REFUSE(ERROR_ARGS_READ, 0, "--args", "2147483647");
	REFUSE(ERROR_ARGS_WORD, 0, "--args", WORDS("ls\0"));
	REFUSE(ERROR_ARGS_WORD, 1, "--bare", "--args", WORDS("--bare\0--\0ls\0"));
	REFUSE(ERROR_ARGS_WORD, 0, "--args", WORDS("\0"));
	REFUSE(ERROR_ARGUMENT_MISSING, 1, "--args", WORDS("--bind\0/a\0"), "/b");
	REFUSE(ERROR_INVALID_UID, 2, "--args", WORDS("--bare\0--uid\0x\0"));
	REFUSE(ERROR_PERMS_WASTED, 1, "--args", WORDS("--perms\0000700\0"), "ls");
	/* Whoever typed it wants to know in which file it was. */
	REFUSE(ERROR_UNKNOWN_OPTION, 0, "--args", WORDS("--bogus\0"));
	REFUSE(ERROR_UNKNOWN_OPTION, 0, "--args", WORDS("--bare\0--bogus\0"));
	REFUSE(ERROR_UNKNOWN_OPTION, 0, "--args", WORDS("-"));
	REFUSE(ERROR_UNKNOWN_OPTION, -1, "--args", WORDS("--bare\0"), "--bogus");
}

static void test_args_actions(void)
{
	struct parsed p;

	ACCEPT(&p, "--args", WORDS("--help\0junk\0"), "--bogus");
	CHECK_INT(p.spec.action, ACTION_HELP);
	spec_free(&p.spec);
}

/* Files that name files: 16 deep, not 17. */
static int nested_fd(int depth)
{
	char words[64] = "--args";
	int inner;

	if (depth == 0)
		return words_fd("--chdir\0/deep\0", 14);
	inner = nested_fd(depth - 1);
	strcpy(words + sizeof("--args"), number_text(inner));
	return words_fd(words, sizeof("--args") + strlen(number_text(inner)) + 1);
}

static void test_args_nested(void)
{
	int before = unit_fd_count();
	struct parsed p;

	ACCEPT(&p, "--args", number_text(nested_fd(15)), "ls");
	CHECK_STR(p.spec.chdir.text, "/deep");
	CHECK_INT(p.spec.use_count, 17);
	CHECK_INT(unit_fd_count(), before + 16); /* their numbers, and nothing else */
	spec_free(&p.spec);
	REFUSE(ERROR_ARGS_DEPTH, 16, "--args", number_text(nested_fd(16)), "ls");
	CHECK_INT(unit_fd_count(), before + 16 + 17);
}

/* More options than bubblewrap takes (9000), in one file. */
static void test_args_many(void)
{
	enum {
		COUNT = 30000
	};
	static const char words[] = "--dir\0/some/place";
	char *data = malloc(COUNT * sizeof(words));
	struct parsed p;

	CHECK(data != NULL);
	for (size_t i = 0; i < COUNT; i++)
		memcpy(data + i * sizeof(words), words, sizeof(words));
	ACCEPT(&p, "--args", number_text(words_fd(data, COUNT * sizeof(words))), "ls");
	free(data); /* the spec has its own */
	CHECK_INT(p.spec.op_count, COUNT);
	CHECK_INT(p.spec.use_count, COUNT + 1);
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(p.spec.ops[i].use == (int)i + 1);
		CHECK_STR(p.spec.ops[i].dest, "/some/place");
	}
	spec_free(&p.spec);
}

/* A descriptor below 3 is not left free for something of ours. */
static void args_from_stdin(void *context)
{
	int fd = words_fd("--bare\0", 7);
	struct parsed p;

	(void)context;
	CHECK(dup2(fd, 0) == 0);
	ACCEPT(&p, "--args", "0", "ls");
	CHECK(spec_flag(&p.spec, FLAG_BARE));
	CHECK_INT(fcntl(0, F_GETFD), FD_CLOEXEC);
	spec_free(&p.spec);
	close(fd);
}

/* ---- memory ---- */

static void test_spec_add(void)
{
	int *numbers = NULL;
	size_t count = 0;
	struct spec spec = { 0 };

	for (int i = 0; i < 1000; i++) {
		int *added = spec_add(&numbers, &count, sizeof(int));

		CHECK(added && *added == 0);
		*added = i;
	}
	CHECK_INT(count, 1000);
	for (int i = 0; i < 1000; i++)
		CHECK_INT(numbers[i], i);
	free(numbers);
	CHECK(spec_add_blob(&spec, NULL) == NULL);
	CHECK_STR(spec_add_blob(&spec, strdup("kept")), "kept");
	CHECK_INT(spec.blob_count, 1);
	spec_free(&spec);
	spec_free(&(struct spec){ 0 });
}

static void test_all(void)
{
	test_command();
	test_unset();
	test_actions();
	test_unknown();
	test_arguments_as_they_look();
	test_descriptors();
	test_ids();
	test_octal_and_size();
	test_caps();
	test_choices();
	test_empty_paths();
	test_environment_names();
	test_namespace_references();
	test_time_offsets();
	test_named_namespaces();
	test_flags();
	test_namespaces();
	test_operations();
	test_here();
	test_consumed_fds();
	test_fds_not_open();
	test_fds_not_open_as_bwrap();
	test_repeats();
	test_one_shot();
	test_overlays();
	test_args();
	test_args_errors();
	test_args_actions();
	test_args_nested();
	test_args_many();
	test_spec_add();
}

static void test_syscall_lists(void)
{
	struct parsed p;

	ACCEPT(&p, "--syscall-deny", "read,@two:ENOSYS", "--syscall-allow", "write",
	       "--syscall-deny=open");
	CHECK_INT(p.spec.policy.change_count, 3);
	CHECK_STR(p.spec.policy.changes[0].list, "read,@two");
	CHECK_STR(p.spec.policy.changes[0].errnum, "ENOSYS");
	CHECK_STR(p.spec.policy.changes[1].list, "write");
	CHECK_STR(p.spec.policy.changes[1].errnum, NULL);
	CHECK_STR(p.spec.policy.changes[2].errnum, "EPERM");
	CHECK_INT(p.spec.policy.changes[2].use, 2);
	spec_free(&p.spec);
	REFUSE(ERROR_SYSCALL_LIST, 0, "--syscall-allow", "read:ENOSYS", "x");
	REFUSE(ERROR_SYSCALL_LIST, 0, "--syscall-deny", "read:", "x");
	REFUSE(ERROR_SYSCALL_LIST, 0, "--syscall-deny", "read:enosys", "x");
	REFUSE(ERROR_SYSCALL_LIST, 0, "--syscall-deny", ",read", "x");
	REFUSE(ERROR_SYSCALL_LIST, 0, "--syscall-deny", "read;allow", "x");
	REFUSE(ERROR_SYSCALL_LIST, 0, "--syscall-deny", "", "x");
}

/* What is asked of a sandbox that runs. */
static void test_late(void)
{
	static const char *const more[] = { "--setenv", "A",  "b",  "--chdir", "/x",
					    "--",	"ls", "-l", NULL };
	static const char *const other[] = { "--ro-bind", "/", "/", "ls", NULL };
	static const char *const nothing[] = { "--clearenv", NULL };
	static const struct {
		enum late_kind kind;
		const char *words[5];
		enum error_code code;
	} rows[] = {
		{ LATE_LIMITS, { "cloche", "--memory", "1M" }, ERROR_NONE },
		{ LATE_LIMITS, { "cloche", "--rlimit", "nofile=1" }, ERROR_LATE_OPTION },
		{ LATE_LIMITS, { "cloche", "--memory", "1M", "ls" }, ERROR_ARGS_WORD },
		{ LATE_BINDS, { "cloche", "--dev-bind-try", "/a", "/b" }, ERROR_NONE },
		{ LATE_BINDS, { "cloche", "--tmpfs", "/b" }, ERROR_LATE_OPTION },
		{ LATE_NET, { "cloche", "--net-deny", "*" }, ERROR_NONE },
		{ LATE_NET, { "cloche", "--net" }, ERROR_LATE_OPTION },
		{ LATE_PUBLISH, { "cloche", "--publish", "80" }, ERROR_NONE },
		{ LATE_PUBLISH, { "cloche", "--net-deny", "*" }, ERROR_LATE_OPTION },
	};
	struct cloche_error err = ERROR_INIT;
	struct parsed p;

	ACCEPT(&p, "--setenv", "A", "a", "--uid", "7", "sleep");
	CHECK_INT(spec_extend(&p.spec, (char *const *)(uintptr_t)more, &err), 0);
	CHECK_STR(p.spec.command[0], "ls");
	CHECK_STR(p.spec.chdir.text, "/x");
	CHECK_INT(p.spec.env_op_count, 2); /* behind the first one */
	CHECK_INT(p.spec.uid.id, 7);
	CHECK(spec_extend(&p.spec, (char *const *)(uintptr_t)other, &err) < 0);
	CHECK_INT(err.code, ERROR_LATE_OPTION);
	CHECK_INT(err.use, 4);
	err = ERROR_INIT;
	CHECK(spec_extend(&p.spec, (char *const *)(uintptr_t)nothing, &err) < 0);
	CHECK_INT(err.code, ERROR_NO_COMMAND);
	spec_free(&p.spec);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec spec = { .personality = personality_find("cloche") };

		err = ERROR_INIT;
		ignore(spec_parse_late(&spec, (char *const *)(uintptr_t)rows[i].words, rows[i].kind,
				       &err));
		CHECK_INT(err.code, rows[i].code);
		spec_free(&spec);
	}
}

int main(void)
{
	test_late();
	test_syscall_lists();
	test_ports();
	test_isolation();
	if (fcntl(0, F_GETFD) < 0)
		CHECK(open("/", O_PATH | O_CLOEXEC) == 0);
	empty_stdin();
	for (int fd = 3; fd <= 30;
	     fd++) /* what the options below name is open, as if the caller had given it */
		CHECK(dup2(0, fd) == fd);
	test_all();
	test_rows();
	CHECK_INT(unit_in_child(args_from_stdin, NULL), 0);
	return 0;
}
