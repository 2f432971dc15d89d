/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plan: conflicts, implications and defaults, by subject, in the order in which they depend on
 * each other. Pure.
 */
#include "spec/plan.h"

#include <linux/sched.h>
#include <signal.h>
#include <string.h>

#include "base/path.h"
#include "base/sys.h"
#include "spec/defaults.h"
#include "spec/plan-landlock.h"
#include "spec/plan-parts.h"

int plan_blame(struct cloche_error *err, int use, enum error_code code, const char *path)
{
	err->use = use;
	return error_set(err, code, 0, path);
}

bool plan_unshares(const struct plan *plan, uint64_t namespace)
{
	return plan->clone_flags & namespace;
}

bool plan_asked_for_userns(const struct plan *plan)
{
	return plan->spec->unshare_user_use >= 0 || plan->personality->unshare & CLONE_NEWUSER;
}

static int plan_user_namespace(struct plan *plan, const struct facts *facts,
			       struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	bool joins = spec_joins(spec, NS_USER);
	/* If possible: real root can do without. */
	bool gives_up = facts->is_root && spec->unshare_user_use < 0 &&
			spec->unshare_try & CLONE_NEWUSER && facts->userns_limit_is_0;

	if (joins || gives_up) {
		plan->clone_flags &= ~(uint64_t)CLONE_NEWUSER;
	} else if (!facts->is_root) {
		if (spec->share & CLONE_NEWUSER)
			return plan_blame(err, spec->share_user_use, ERROR_SHARE_USER_UNPRIVILEGED,
					  NULL);
		plan->clone_flags |= CLONE_NEWUSER;
	}
	if (spec->userns2_fd.fd >= 0 && !joins)
		return plan_blame(err, spec->userns2_fd.use, ERROR_USERNS2_ALONE, NULL);
	return 0;
}

static int plan_namespaces(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	uint64_t asked = spec->unshare | spec->unshare_try;
	int r = plan_namespaces_asked(plan, err);

	if (r == 0)
		r = plan_net_asked(plan, err);
	if (r < 0)
		return r;
	if (spec->net.on.is_set)
		asked |= CLONE_NEWNET;
	/* What is joined is not made; but a pid namespace can be made below the joined one. */
	plan->clone_flags = plan->personality->unshare & ~plan->joined;
	plan->clone_flags |= asked & ~(plan->joined & ~(uint64_t)CLONE_NEWPID);
	/* clone(2) takes that flag for a part of the signal, and the clocks are set before: time.c
	 */
	plan->clone_flags &= ~(spec->share | CLONE_NEWTIME);
	if (!facts->has_cgroup_ns) {
		if (spec->unshare & CLONE_NEWCGROUP)
			return error_set(err, ERROR_NO_NAMESPACE, 0, "cgroup");
		plan->clone_flags &= ~(uint64_t)CLONE_NEWCGROUP;
	}
	plan->clone_flags |= CLONE_NEWNS;
	plan->brings_up_lo = plan_unshares(plan, CLONE_NEWNET);
	plan->own_proc = plan_unshares(plan, CLONE_NEWPID) || plan->joined & CLONE_NEWPID;
	r = plan_time(plan, err);
	return r < 0 ? r : plan_user_namespace(plan, facts, err);
}

/*
 * Nested user namespaces are forbidden by the limit of the sandbox's own: 0, or 1 where COMMAND
 * itself gets the one inside. That one is needed where COMMAND could write the limit again: as
 * bubblewrap does it, and with capabilities. With a mount namespace it also locks our mounts
 * against COMMAND's capabilities: always under our own name, and for root, who keeps them all
 * without being asked, under bubblewrap's.
 */
static int plan_nested_userns(struct plan *plan, const struct facts *facts,
			      struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	bool own = plan_unshares(plan, CLONE_NEWUSER);
	bool deny = spec->userns_limit == USERNS_DENY ||
		    (spec->userns_limit == USERNS_DEFAULT && plan->personality->denies_userns &&
		     !plan->landlock.is_tier);

	plan->max_userns = -1;
	if (plan->keep_caps && own && (plan->personality->isolates_caps || facts->uid == 0))
		plan->inner_userns = plan->inner_mountns = true;
	if (!deny)
		return 0;
	if (spec->userns_limit != USERNS_DENY && !own) {
		error_set_hint(err, HINT_ALLOW_USERNS);
		return plan_blame(err,
				  spec_joins(spec, NS_USER) ? spec->namespaces.join[NS_USER].use
							    : spec->share_user_use,
				  ERROR_DENY_NEEDS_OWN, NULL);
	}
	if (!own || !plan_asked_for_userns(plan))
		return plan_blame(err, spec->userns_limit_use, ERROR_DISABLE_USERNS_NEEDS, NULL);
	if (spec->userns_block_fd.fd >= 0)
		return plan_blame(err, spec->userns_limit_use, ERROR_DISABLE_USERNS_BLOCK, NULL);
	if (!plan->personality->denies_userns)
		plan->inner_userns = true;
	plan->max_userns = plan->inner_userns ? 1 : 0;
	return 0;
}

static int plan_mounts(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	const struct personality *personality = plan->personality;
	size_t root_ops = 0;
	int r;

	plan->private_mounts = spec->propagation ? spec->propagation == PROPAGATION_PRIVATE
						 : personality->private_mounts;
	plan->creates_dest = personality->creates_dest || spec_flag(spec, FLAG_CREATE_DEST);
	plan->root_size = spec->root_size.bytes ? spec->root_size.bytes : personality->root_size;
	plan->scratch_size =
		spec->overlay_size.bytes ? spec->overlay_size.bytes : personality->overlay_size;
	r = defaults_root(plan, facts, err);
	if (r == 0)
		r = plan_net_make(plan, facts, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->op_count; i++) {
		struct fs_op *op = &plan->ops[i];

		root_ops += path_is_root(op->dest);
		plan->copies_data |=
			op->type == OP_FILE || op->type == OP_DATA || op->type == OP_DATA_RO;
		/* Overlays, too: for their uppers, and for kernels that attach them at once. */
		if (op->type == OP_DATA || op->type == OP_DATA_RO || op->type == OP_OVERLAY)
			plan->needs_scratch = true;
		if (op->type == OP_TMPFS && !op->size)
			op->size = personality->tmp_size;
	}
	plan->in_place = !plan->landlock.is_tier && plan->op_count &&
			 plan->ops[0].type == OP_BIND && path_is_root(plan->ops[0].source) &&
			 path_is_root(plan->ops[0].dest) && root_ops == 1 && !plan->needs_scratch &&
			 !plan->ops[0].idmap_count;
	return 0;
}

#define KILL_AFTER_DEFAULT 10000000000ull /* as podman and docker stop */

static void plan_stop(struct plan *plan)
{
	const struct spec_stop *stop = &plan->spec->stop;

	plan->stop_signal = stop->signal ? stop->signal : SIGTERM;
	plan->timeout = stop->timeout.nanoseconds;
	plan->kill_after =
		stop->kill_after.is_set ? stop->kill_after.nanoseconds : KILL_AFTER_DEFAULT;
	plan->kills_after_signal = stop->kill_after.is_set;
}

/*
 * Each standard descriptor that is a terminal outside becomes the new one inside; where none is,
 * and one is asked for, all do. Files that options name stay what they are.
 */
static int plan_pty(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	bool is_any_tty = facts->is_tty[0] || facts->is_tty[1] || facts->is_tty[2];
	bool new_session = spec_flag(spec, FLAG_NEW_SESSION);
	bool filters = spec_flag(spec, FLAG_PTY_FILTER);

	if (filters && (new_session || spec->pty == PTY_NO))
		return plan_blame(err, spec->flag_use[FLAG_PTY_FILTER], ERROR_FILTER_PTY, NULL);
	if (spec->pty == PTY_YES && new_session)
		return plan_blame(err, spec->flag_use[FLAG_NEW_SESSION], ERROR_SESSION_PTY, NULL);
	if (spec_flag(spec, FLAG_DETACH)) {
		if (spec->pty == PTY_YES || filters)
			return plan_blame(err, spec->flag_use[FLAG_DETACH], ERROR_DETACH_WITH,
					  filters ? "pty-filter" : "pty");
		return 0; /* nobody is there to type or to see */
	}
	plan->has_pty = spec->pty == PTY_YES || (filters && is_any_tty) ||
			(spec->pty == PTY_DEFAULT && plan->personality->has_pty && !new_session &&
			 facts->is_tty[0] && !spec->io.stdio[0].text);
	for (int i = 0; plan->has_pty && i < 3; i++)
		if (!spec->io.stdio[i].text && (facts->is_tty[i] || !is_any_tty))
			plan->pty_fds |= 1u << i;
	return 0;
}

static int plan_supervision(struct plan *plan, const struct facts *facts, struct cloche_error *err)
{
	const struct spec *spec = plan->spec;
	const struct personality *personality = plan->personality;
	bool as_pid_1 = spec_flag(spec, FLAG_AS_PID_1);
	int r;

	if (as_pid_1 && !plan_unshares(plan, CLONE_NEWPID))
		return plan_blame(err, spec->flag_use[FLAG_AS_PID_1], ERROR_AS_PID_1_NEEDS, NULL);
	if (as_pid_1 && spec->lock_file_count)
		return plan_blame(err, spec->flag_use[FLAG_AS_PID_1], ERROR_AS_PID_1_LOCK, NULL);
	if ((spec->exec_label.text || spec->file_label.text) && !facts->has_selinux)
		return plan_blame(
			err, spec->exec_label.text ? spec->exec_label.use : spec->file_label.use,
			ERROR_NO_LABELS, NULL);
	if (spec_flag(spec, FLAG_DETACH) && !spec->name.text)
		return plan_blame(err, spec->flag_use[FLAG_DETACH], ERROR_DETACH_NEEDS, NULL);
	if (spec_flag(spec, FLAG_DETACH) && spec_flag(spec, FLAG_DIE_WITH_PARENT))
		return plan_blame(err, spec->flag_use[FLAG_DETACH], ERROR_DETACH_WITH,
				  "die-with-parent");
	r = plan_pty(plan, facts, err);
	if (r < 0)
		return r;
	plan_stop(plan);
	/* The terminal is ours to restore, and the time ours to keep. */
	plan->ends_together = personality->ends_together || plan->has_pty || plan->timeout ||
			      spec_flag(spec, FLAG_DETACH);
	plan->init_is_pid_1 = plan_unshares(plan, CLONE_NEWPID) && !as_pid_1;
	plan->has_init = !as_pid_1 && (plan->init_is_pid_1 || plan->ends_together ||
				       spec->lock_file_count || spec->sync_fd_count);
	plan->die_with_parent = spec_flag(spec, FLAG_DIE_WITH_PARENT);
	plan->new_session = spec_flag(spec, FLAG_NEW_SESSION) ||
			    (personality->new_session_without_tty &&
			     (!facts->is_tty[0] || spec->io.stdio[0].text)) ||
			    plan->has_pty || spec_flag(spec, FLAG_DETACH);
	plan->argv0 = spec->argv0.text;
	return 0;
}

int plan_make(struct plan *plan, const struct spec *spec, const struct facts *facts,
	      struct cloche_error *err)
{
	int r;

	*plan = (struct plan){ .spec = spec, .personality = spec->personality };
	err->stage = STAGE_PLAN;
	if (facts->privilege)
		return error_set(err, ERROR_PRIVILEGED_BINARY, 0, facts->privilege);
	r = plan_namespaces(plan, facts, err);
	if (r == 0)
		r = landlock_plan_tier(plan, facts, err); /* perhaps there will be none of them */
	if (r == 0)
		r = plan_ids(plan, facts, err);
	if (r < 0)
		return r;
	plan_caps(plan, facts);
	r = plan_suid(plan, err);
	if (r == 0)
		r = plan_nested_userns(plan, facts, err);
	if (r == 0)
		r = plan_supervision(plan, facts, err);
	if (r == 0)
		r = plan_limits_make(plan, facts, err);
	if (r == 0)
		r = plan_names(plan, err);
	if (r == 0)
		r = plan_policy_make(plan, err);
	if (r == 0)
		r = plan_mounts(plan, facts, err);
	if (r == 0)
		r = plan_idmaps(plan, facts, err);
	if (r == 0)
		r = plan_views(plan, facts, err);
	if (r == 0)
		r = landlock_plan(plan, facts, err);
	if (r == 0)
		r = defaults_environment(plan, facts, err);
	return r;
}

int plan_attach(struct plan *plan, const struct spec *spec, const struct facts *facts,
		struct cloche_error *err)
{
	int r;

	plan->spec = spec;
	plan->environment = NULL;
	plan->environment_count = 0;
	r = facts->environ ? defaults_environment(plan, facts, err) : 0;
	/* It is only cloche that is asked for this, whatever the sandbox was made as. */
	plan->personality = personality_find("cloche");
	plan->pty_fds = 0;
	if (r == 0)
		r = plan_pty(plan, facts, err);
	if (r < 0)
		return r;
	plan_stop(plan);
	/* The first of our processes inside leads a session, and is told what to pass on; what
	 * COMMAND leaves behind is not its to kill. */
	plan->has_init = plan->new_session = plan->die_with_parent = true;
	plan->init_is_pid_1 = plan->ends_together = false;
	plan->argv0 = NULL;
	/* A Landlock domain cannot be joined, and one beside another may not reach it. Where the
	 * namespaces confine the same, COMMAND may reach the others of its sandbox. */
	if (plan_unshares(plan, CLONE_NEWPID))
		plan->landlock.scoped &= ~(uint64_t)SYS_LANDLOCK_SIGNAL;
	if (plan_unshares(plan, CLONE_NEWNET))
		plan->landlock.scoped &= ~(uint64_t)SYS_LANDLOCK_ABSTRACT_UNIX;
	return 0;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->environment_count; i++)
		free(plan->environment[i]);
	free(plan->environment);
	free(plan->ops);
	plan_free_ids(plan);
	landlock_plan_free(&plan->landlock);
	plan_free_views(plan);
	plan_free_net(plan);
}

/* Does something mounted on @outer cover @inner? By the letters of the paths. */
static bool covers(const char *outer, const char *inner)
{
	size_t length = strlen(outer);

	while (length > 1 && outer[length - 1] == '/')
		length--;
	if (path_is_root(outer))
		return true;
	return strncmp(outer, inner, length) == 0 &&
	       (inner[length] == '/' || inner[length] == '\0');
}

/* Nothing is lost: @op changes something, or makes the very place that @hider takes. */
static bool makes_place(const struct fs_op *op, const struct fs_op *hider)
{
	if (op->type == OP_REMOUNT_RO || op->type == OP_CHMOD)
		return true;
	return (op->type == OP_DIR || op->type == OP_FILE) && strcmp(op->dest, hider->dest) == 0;
}

#define MAX_OPS_COMPARED 256 /* of a list so long that a person wrote it, not a program */

int plan_hidden_op(const struct plan *plan, size_t *ret_hider)
{
	if (plan->op_count > MAX_OPS_COMPARED)
		return -1;
	for (size_t later = 1; later < plan->op_count; later++) {
		const struct fs_op *hider = &plan->ops[later];

		if (hider->type > OP_SYS || (hider->type == OP_BIND && hider->flags & BIND_TRY))
			continue;
		for (size_t earlier = 0; earlier < later; earlier++) {
			const struct fs_op *op = &plan->ops[earlier];

			if (op->use >= 0 && !makes_place(op, hider) &&
			    covers(hider->dest, op->dest)) {
				*ret_hider = later;
				return (int)earlier;
			}
		}
	}
	return -1;
}
