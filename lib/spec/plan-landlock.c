/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What Landlock does for a sandbox:
 *
 * - under our own name COMMAND is scoped: no abstract sockets and no signals to processes outside.
 *   Namespaces do that as well where they are private; where they are shared, only this does;
 * - --connect-tcp and --bind-tcp allow these ports alone, in a shared network namespace;
 * - in the tier without namespaces (--isolation landlock) the operations that would be mounts
 *   become rules on paths, as far as they can. Rules only ever add: a later, narrower operation
 *   cannot take back what an earlier one gave, and is refused. What is not enforced is listed.
 */
#include "spec/plan-landlock.h"

#include <sched.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "base/sys.h"
#include "spec/defaults.h"

#define ABI_TRUNCATE 3
#define ABI_TCP 4
#define ABI_IOCTL 5
#define ABI_SCOPES 6
#define ABI_UNIX 9
#define ABI_UDP 10

#define READ_RIGHTS                                                                                \
	(SYS_LANDLOCK_EXECUTE | SYS_LANDLOCK_READ_FILE | SYS_LANDLOCK_READ_DIR |                   \
	 SYS_LANDLOCK_RESOLVE_UNIX)
#define ALL_RIGHTS                                                                                 \
	(SYS_LANDLOCK_FS_ABI_1 | SYS_LANDLOCK_REFER | SYS_LANDLOCK_TRUNCATE |                      \
	 SYS_LANDLOCK_IOCTL_DEV | SYS_LANDLOCK_RESOLVE_UNIX)
#define DEVICE_RIGHTS (SYS_LANDLOCK_IOCTL_DEV | SYS_LANDLOCK_MAKE_CHAR | SYS_LANDLOCK_MAKE_BLOCK)

static int blame(struct cloche_error *err, int use, enum error_code code, const char *path,
		 const char *detail)
{
	err->use = use;
	return error_set_detail(err, code, 0, path, detail);
}

/* ---- the tier ---- */

static bool wants_proc(const struct spec *spec)
{
	bool wanted = defaults_provide_root(spec);

	for (size_t i = 0; i < spec->op_count; i++)
		wanted |= spec->ops[i].type == OP_PROC;
	return wanted;
}

unsigned landlock_trial(const struct spec *spec)
{
	uint64_t unshared = (spec->personality->unshare | spec->unshare) & ~spec->share;
	unsigned steps = unshared & CLONE_NEWUSER ? FACTS_TRY_USERNS : 0;

	if (spec->userns_limit == USERNS_DENY ||
	    (spec->userns_limit == USERNS_DEFAULT && spec->personality->denies_userns))
		steps |= FACTS_TRY_LIMIT;
	if (unshared & CLONE_NEWPID && wants_proc(spec))
		steps |= FACTS_TRY_PROC;
	return steps;
}

int landlock_plan_tier(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	struct plan_landlock *landlock = &plan->landlock;
	const struct spec_namespaces *namespaces = &spec->namespaces;

	landlock->wanted = plan->clone_flags;
	if (spec->landlock.isolation == ISOLATION_TRY)
		landlock->refused = facts->namespaces_errnum;
	landlock->is_tier = spec->landlock.isolation == ISOLATION_LANDLOCK || landlock->refused;
	if (!landlock->is_tier)
		return 0;
	if (facts->landlock_abi < 1)
		return blame(err, spec->landlock.isolation_use, ERROR_NO_LANDLOCK, NULL, NULL);
	for (enum ns_type type = 0; type < NS_COUNT; type++)
		if (spec_joins(spec, type))
			return blame(err, namespaces->join[type].use, ERROR_TIER_NAMESPACE, NULL,
				     NULL);
	if (plan->new_time)
		return blame(err, namespaces->unshare_time_use, ERROR_TIER_NAMESPACE, NULL, NULL);
	if (namespaces->pin.text)
		return blame(err, namespaces->pin.use, ERROR_TIER_NAMESPACE, NULL, NULL);
	for (size_t i = 0; i < spec->cap_op_count; i++)
		if (spec->cap_ops[i].type != CAP_DROP)
			return blame(err, spec->landlock.isolation_use, ERROR_TIER_CAPS, NULL,
				     NULL);
	plan->clone_flags = 0;
	plan->brings_up_lo = plan->own_proc = false;
	return 0;
}

/* ---- scopes and ports ---- */

static int plan_scopes(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;

	if (!plan->personality->scopes_ipc)
		return 0;
	if (facts->landlock_abi >= ABI_SCOPES)
		plan->landlock.scoped = SYS_LANDLOCK_ABSTRACT_UNIX | SYS_LANDLOCK_SIGNAL;
	if (plan->landlock.scoped || spec->landlock.isolation != ISOLATION_FULL)
		return 0;
	error_set_hint(err, HINT_ISOLATION_TRY);
	if (!(plan->clone_flags & CLONE_NEWNET))
		return blame(err,
			     spec_joins(spec, NS_NET) ? spec->namespaces.join[NS_NET].use
						      : spec->share_net_use,
			     ERROR_NO_SCOPES, "abstract sockets", NULL);
	if (!plan->own_proc)
		return blame(err, spec->share_pid_use, ERROR_NO_SCOPES, "processes", NULL);
	err->hint = HINT_NONE;
	return 0;
}

static int plan_port_list(struct plan *plan, const struct facts *facts,
			  const struct spec_ports *ports, uint64_t right, struct cloche_error *err)
{
	if (!ports->count)
		return 0;
	if (plan->landlock.wanted & CLONE_NEWNET) {
		error_set_hint(err, HINT_SHARE_NET);
		return blame(err, ports->use, ERROR_TCP_NEEDS_NET, NULL, NULL);
	}
	if (facts->landlock_abi < ABI_TCP)
		return blame(err, ports->use, ERROR_NO_TCP_RULES, NULL, NULL);
	plan->landlock.handled_net |= right;
	plan->landlock.guards |= GUARD_TCP;
	return 0;
}

static int plan_ports(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec_landlock *spec = &plan->spec->landlock;
	struct plan_landlock *landlock = &plan->landlock;
	int r = plan_port_list(plan, facts, &spec->connect_tcp, SYS_LANDLOCK_CONNECT_TCP, err);

	if (r == 0)
		r = plan_port_list(plan, facts, &spec->bind_tcp, SYS_LANDLOCK_BIND_TCP, err);
	if (!landlock->is_tier)
		return r;
	if (landlock->wanted & CLONE_NEWIPC && facts->landlock_abi < ABI_UNIX)
		landlock->guards |= GUARD_UNIX;
	if (!(landlock->wanted & CLONE_NEWNET))
		return r;
	/* The network would have been private. Landlock has its say about sockets that are
	 * inherited. */
	landlock->guards |= GUARD_NET;
	if (facts->landlock_abi >= ABI_TCP)
		landlock->handled_net = SYS_LANDLOCK_BIND_TCP | SYS_LANDLOCK_CONNECT_TCP;
	if (facts->landlock_abi >= ABI_UDP)
		landlock->handled_net |= SYS_LANDLOCK_BIND_UDP | SYS_LANDLOCK_CONNECT_SEND_UDP;
	return r;
}

/* ---- paths ---- */

static uint64_t rights_of_abi(int abi)
{
	uint64_t rights = SYS_LANDLOCK_FS_ABI_1;

	if (abi >= 2)
		rights |= SYS_LANDLOCK_REFER;
	if (abi >= ABI_TRUNCATE)
		rights |= SYS_LANDLOCK_TRUNCATE;
	if (abi >= ABI_IOCTL)
		rights |= SYS_LANDLOCK_IOCTL_DEV;
	if (abi >= ABI_UNIX)
		rights |= SYS_LANDLOCK_RESOLVE_UNIX;
	return rights;
}

/* Behind slashes and components that are ".". */
static const char *next_component(const char *path)
{
	for (;;) {
		path += strspn(path, "/");
		if (path[0] != '.' || (path[1] != '/' && path[1] != '\0'))
			return path;
		path++;
	}
}

/* Does the absolute path @inner lie below @outer, or is it the same? By their letters. */
static bool lies_below(const char *inner, const char *outer)
{
	for (;;) {
		size_t inner_length, outer_length;

		inner = next_component(inner);
		outer = next_component(outer);
		if (!*outer)
			return true;
		inner_length = strcspn(inner, "/");
		outer_length = strcspn(outer, "/");
		if (inner_length != outer_length || memcmp(inner, outer, outer_length) != 0)
			return false;
		inner += inner_length;
		outer += outer_length;
	}
}

/* ".." would make the letters lie about what is below what. */
static bool has_dot_dot(const char *path)
{
	for (const char *dots = strstr(path, ".."); dots; dots = strstr(dots + 1, ".."))
		if ((dots == path || dots[-1] == '/') && (dots[2] == '/' || dots[2] == '\0'))
			return true;
	return false;
}

static bool is_same_path(const char *one, const char *other)
{
	return one[0] == '/' && !has_dot_dot(one) && lies_below(one, other) &&
	       lies_below(other, one);
}

/* The path is copied: the init process overwrites the command line before COMMAND's rules are made.
 */
static int add_path(struct plan_landlock *landlock, const struct fs_op *op, const char *path,
		    uint64_t rights, struct cloche_error *err)
{
	struct landlock_path *added = &landlock->paths[landlock->path_count];

	*added = (struct landlock_path){
		.path = strdup(path),
		.rights = rights & landlock->handled_fs,
		.is_optional = op->type == OP_DEV || (op->type == OP_BIND && op->flags & BIND_TRY),
		.is_bind = op->type == OP_BIND,
		.use = op->use,
	};
	if (!added->path)
		return error_no_memory(err);
	landlock->path_count++;
	return 0;
}

static uint64_t bind_rights(const struct fs_op *op)
{
	uint64_t rights = op->flags & BIND_RO ? READ_RIGHTS : ALL_RIGHTS & ~DEVICE_RIGHTS;

	return op->flags & BIND_DEV ? rights | DEVICE_RIGHTS : rights;
}

static int add_bind(struct plan *plan, const struct fs_op *op, struct cloche_error *err)
{
	struct plan_landlock *landlock = &plan->landlock;
	uint64_t rights = bind_rights(op) & landlock->handled_fs;

	if (!is_same_path(op->source, op->dest))
		return blame(err, op->use, ERROR_TIER_PATHS, NULL, NULL);
	for (size_t i = 0; i < landlock->path_count; i++) {
		const struct landlock_path *earlier = &landlock->paths[i];

		if (earlier->is_bind && earlier->rights & ~rights &&
		    (lies_below(op->dest, earlier->path) || lies_below(earlier->path, op->dest)))
			return blame(err, op->use, ERROR_TIER_OVERLAP, op->dest, earlier->path);
	}
	return add_path(landlock, op, op->dest, rights, err);
}

static const char *const devices[] = { "/dev/null",   "/dev/zero",    "/dev/full",
				       "/dev/random", "/dev/urandom", "/dev/tty" };

/* No /dev/pts, which holds the user's other terminals, and no /dev/shm, which others share. */
static int add_devices(struct plan_landlock *landlock, const struct fs_op *op,
		       struct cloche_error *err)
{
	const uint64_t rights = SYS_LANDLOCK_READ_FILE | SYS_LANDLOCK_WRITE_FILE |
				SYS_LANDLOCK_TRUNCATE | SYS_LANDLOCK_IOCTL_DEV;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(devices); i++)
		r = add_path(landlock, op, devices[i], rights, err);
	return r;
}

static int add_operation(struct plan *plan, const struct fs_op *op, struct cloche_error *err)
{
	struct plan_landlock *landlock = &plan->landlock;

	if (op->type == OP_BIND)
		return add_bind(plan, op, err);
	if (op->type == OP_PROC && is_same_path(op->dest, "/proc"))
		return add_path(landlock, op, op->dest,
				SYS_LANDLOCK_READ_FILE | SYS_LANDLOCK_READ_DIR, err);
	if (op->type == OP_DEV && is_same_path(op->dest, "/dev"))
		return add_devices(landlock, op, err);
	/* The host has the links of a provided root directory; its /tmp and homes are nobody's. */
	return op->use < 0 ? 0 : blame(err, op->use, ERROR_TIER_OPERATION, NULL, NULL);
}

static int plan_paths(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	struct plan_landlock *landlock = &plan->landlock;
	int r = 0;

	landlock->handled_fs = rights_of_abi(facts->landlock_abi);
	landlock->paths =
		calloc((plan->op_count + 1) * ARRAY_SIZE(devices), sizeof(*landlock->paths));
	if (!landlock->paths)
		return error_no_memory(err);
	for (size_t i = 0; r == 0 && i < plan->op_count; i++)
		r = add_operation(plan, &plan->ops[i], err);
	return r;
}

void landlock_plan_free(struct plan_landlock *landlock)
{
	for (size_t i = 0; i < landlock->path_count; i++)
		free(landlock->paths[i].path);
	free(landlock->paths);
}

/* ---- what is not enforced ---- */

static void add_gap(struct plan_landlock *landlock, bool is_open, const char *text)
{
	if (is_open)
		landlock->gaps[landlock->gap_count++] = text;
}

static void list_gaps(struct plan *plan, int abi)
{
	struct plan_landlock *landlock = &plan->landlock;
	uint64_t wanted = landlock->wanted;
	bool provides = plan->op_count && plan->ops[0].use < 0;
	bool scopes = plan->personality->scopes_ipc;
	bool has_unix_guard = landlock->guards & GUARD_UNIX;

	add_gap(landlock, wanted & CLONE_NEWPID, "the host's processes can be seen");
	add_gap(landlock, scopes && abi < ABI_SCOPES, "the user's processes can be signalled");
	add_gap(landlock, scopes && abi < ABI_SCOPES && !has_unix_guard,
		"abstract sockets can be connected to");
	add_gap(landlock, wanted & CLONE_NEWNET, "the host's network interfaces can be listed");
	add_gap(landlock, wanted & CLONE_NEWIPC, "System V and POSIX IPC are the host's");
	add_gap(landlock, abi < ABI_UNIX && !has_unix_guard,
		"sockets in the file system (D-Bus, ssh-agent, X11) can be connected to");
	add_gap(landlock, true,
		"files outside can be looked up by name, and the user's own get another mode or "
		"time");
	add_gap(landlock, abi < ABI_TRUNCATE, "files outside can be truncated");
	add_gap(landlock, abi < ABI_IOCTL, "ioctl on devices");
	add_gap(landlock,
		plan->personality->denies_userns && plan->policy.is_off &&
			plan->spec->userns_limit != USERNS_ALLOW,
		"user namespaces can be made inside");
	add_gap(landlock, provides, "there is no /tmp, /dev/shm, /dev/pts and no home directory");
}

int landlock_plan(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	int r = plan_scopes(plan, facts, err);

	if (r == 0)
		r = plan_ports(plan, facts, err);
	if (r < 0 || !plan->landlock.is_tier)
		return r;
	list_gaps(plan, facts->landlock_abi);
	return plan_paths(plan, facts, err);
}

bool landlock_warning(const struct plan *plan, struct cloche_error *warning)
{
	const struct plan_landlock *landlock = &plan->landlock;
	char list[sizeof(warning->path)];
	struct str_buf text = { .data = list, .size = sizeof(list) };

	if (!landlock->is_tier)
		return false;
	for (size_t i = 0; i < landlock->gap_count; i++) {
		str_add(&text, i ? "; " : "");
		str_add(&text, landlock->gaps[i]);
	}
	warning->use = plan->spec->landlock.isolation_use;
	(void)error_set(warning, ERROR_TIER, landlock->refused, list);
	return true;
}
