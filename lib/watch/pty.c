/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * COMMAND's own terminal, outside. The supervisor relays bytes between the caller's terminal, which
 * it makes raw, and the master of COMMAND's. What comes from the master is hostile; nothing of it
 * is looked at but by --pty-filter. Of each direction a bounded number of bytes is held: a reader
 * that does not read stops the writer, and neither stops the supervisor.
 *
 * Job control works as if COMMAND were the caller's job. The supervisor is that job, and COMMAND a
 * job of the init process, which tells what stopped it.
 *
 * Where it was the user's suspend character or SIGSTOP, the supervisor stops, too, with the
 * terminal as it was; continued, it goes on, and COMMAND with it.
 *
 * Where it was reading the terminal in the background (SIGTTIN, SIGTTOU), COMMAND gets the
 * foreground inside if the supervisor has it outside, else the supervisor stops as any job that
 * reads in the background. COMMAND begins in the background inside where the supervisor is there,
 * or where it is part of a pipeline: another part may be the one that reads the terminal (cloche
 * cat x | less).
 */
#include "watch/pty.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "watch/init.h"

#define PTY_BUFFER ((size_t)64 << 10)
#define FOREGROUND_TICK_MS 500

/* ---- before clone ---- */

/* A terminal or a pipe can be opened anew, unless the node is another user's since su(1). fd or -1
 */
static int reopen(int fd, int flags)
{
	char path[STR_FD_PATH_SIZE];
	struct stat info;

	if (fstat(fd, &info) < 0 || !(S_ISFIFO(info.st_mode) || isatty(fd)))
		return -1;
	return open(str_fd_path(path, fd), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static enum pty_sink sink_of(int fd)
{
	struct stat info;

	if (fstat(fd, &info) < 0 || S_ISFIFO(info.st_mode) || isatty(fd))
		return SINK_CAREFUL;
	return S_ISSOCK(info.st_mode) ? SINK_SOCKET : SINK_FILE;
}

/* The first terminal among the standard descriptors in this order, else @other. */
static int choose(const struct facts *facts, const int order[3], int other)
{
	for (int i = 0; i < 3; i++)
		if (facts->is_tty[order[i]])
			return order[i];
	return other;
}

static void open_caller_side(struct pty *pty, const struct facts *facts)
{
	static const int for_in[] = { 0, 1, 2 }, for_out[] = { 1, 2, 0 };
	int in = choose(facts, for_in, STDIN_FILENO), out = choose(facts, for_out, STDOUT_FILENO);
	int in_anew = reopen(in, O_RDONLY), out_anew = reopen(out, O_WRONLY);

	pty->owns_in = in_anew >= 0;
	pty->in_fd = pty->owns_in ? in_anew : in;
	pty->sink = out_anew >= 0 ? SINK_OWN : sink_of(out);
	pty->out_fd = out_anew >= 0 ? out_anew : out;
}

/* What the caller's terminal reads: its line discipline may say so (IUTF8), or else the locale does
 * (locale(7)). */
static bool is_utf8(const struct pty *pty, const struct facts *facts)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	if (pty->terminal.fd < 0 || pty->terminal.saved.c_iflag & IUTF8)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *locale = str_variable(facts->environ, names[i]);

		if (locale && *locale)
			return strcasestr(locale, "utf-8") || strcasestr(locale, "utf8");
	}
	return false;
}

static int prepare_buffers(struct pty *pty, const struct plan *plan, const struct facts *facts,
			   struct cloche_error *err)
{
	bool filters = spec_flag(plan->spec, FLAG_PTY_FILTER);

	pty->in.data = malloc(PTY_BUFFER);
	pty->out.data = malloc(PTY_BUFFER);
	pty->filter = filters ? calloc(1, sizeof(*pty->filter)) : NULL;
	if (!pty->in.data || !pty->out.data || (filters && !pty->filter))
		return error_no_memory(err);
	if (filters)
		pty->filter->is_utf8 = is_utf8(pty, facts);
	return 0;
}

int pty_prepare(struct pty *pty, const struct facts *facts, struct enter *enter,
		struct cloche_error *err)
{
	const struct plan *plan = enter->plan;
	struct enter_terminal *inside = &enter->terminal;
	int pair[2], r;

	if (plan->has_pty || plan->personality->has_pty)
		terminal_save(&pty->terminal, facts);
	pty->terminal.is_shared = !plan->has_pty && facts->is_tty[STDOUT_FILENO];
	if (!plan->has_pty)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return error_set(err, ERROR_PIPE, errno, "a socket");
	pty->channel_fd = pair[0];
	inside->channel_fd = pair[1];
	inside->spare_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	r = prepare_buffers(pty, plan, facts, err);
	if (r < 0)
		return r;
	open_caller_side(pty, facts);
	pty->at_line_start = true;
	pty->terminal.keeps_output = !facts->is_tty[STDOUT_FILENO];
	if (pty->terminal.fd >= 0) {
		inside->has_modes = true;
		inside->modes = pty->terminal.saved;
		(void)ioctl(pty->terminal.fd, TIOCGWINSZ, &inside->size);
		inside->in_background = plan->has_init && (pty->terminal.keeps_output ||
							   !terminal_is_ours(&pty->terminal));
		/* The caller's does it, as long as it is not raw. */
		if (inside->in_background)
			inside->modes.c_oflag &= ~(tcflag_t)OPOST;
	}
	pty->is_wanted = !inside->in_background;
	return 0;
}

/* ---- signals ---- */

/* Until COMMAND runs the keys are the supervisor's, and nothing is shown. */
static bool has_begun(const struct pty *pty)
{
	return pty->target_fd >= 0;
}

static void tell(const struct pty *pty, int number)
{
	(void)pidfd_send_signal(pty->target_fd, number, NULL, 0);
}

/* Nobody is there to type or to see any more. The kernel tells those inside. */
static void hang_up(struct pty *pty)
{
	close_pointer(&pty->master_fd);
	pty->master_fd = -EBADF;
}

/* COMMAND's terminal turns newlines into line ends now, where the caller's no longer does. */
static void process_output(const struct pty *pty)
{
	struct termios modes;

	if (pty->terminal.keeps_output || tcgetattr(pty->master_fd, &modes) < 0)
		return;
	modes.c_oflag |= pty->terminal.saved.c_oflag & OPOST;
	(void)tcsetattr(pty->master_fd, TCSANOW, &modes);
}

static void take_terminal(struct pty *pty)
{
	if (!terminal_is_ours(&pty->terminal))
		return;
	terminal_make_raw(&pty->terminal);
	pty_resize(pty);
	if (pty->is_asking) {
		pty->is_asking = false;
		process_output(pty);
		tell(pty, INIT_SIGNAL_FOREGROUND);
		tell(pty, SIGCONT);
	}
}

void pty_resize(const struct pty *pty)
{
	struct winsize size;

	/* The kernel tells COMMAND, if it has changed. */
	if (pty->master_fd >= 0 && pty->terminal.fd >= 0 &&
	    ioctl(pty->terminal.fd, TIOCGWINSZ, &size) == 0)
		(void)ioctl(pty->master_fd, TIOCSWINSZ, &size);
}

void pty_resume(struct pty *pty)
{
	if (has_begun(pty) && pty->is_wanted)
		take_terminal(pty);
}

/*
 * A stop that the user typed is for the whole process group, as when the terminal sends it; one
 * that COMMAND made itself stops the supervisor alone, not those who share its group. In an
 * orphaned group the kernel does not stop anybody (setpgid(2)), and both go on.
 */
void pty_suspend(struct pty *pty, int number)
{
	sigset_t set, old;

	if (pty->terminal.is_raw)
		terminal_restore(&pty->terminal);
	sigemptyset(&set);
	sigaddset(&set, number);
	(void)sigprocmask(SIG_UNBLOCK, &set, &old);
	(void)kill(pty->suspend_typed ? 0 : getpid(), number);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	pty->suspend_typed = false;
}

/* COMMAND was stopped by @number. */
static void follow_stop(struct pty *pty, int number)
{
	if (number == SIGTTIN || number == SIGTTOU) {
		pty->is_wanted = pty->is_asking = true;
		if (!terminal_is_ours(&pty->terminal))
			pty_suspend(pty, number);
		take_terminal(pty); /* now, or by and by: pty_act() */
		return;
	}
	pty_suspend(pty, SIGTSTP);
	pty_resume(pty);
	/* Who stopped itself waits for somebody's SIGCONT, and gets ours if it is sent to us. */
	if (number != SIGSTOP)
		tell(pty, SIGCONT);
}

static void take_master(struct pty *pty, int master)
{
	if (master < 0)
		return;
	pty->master_fd = master;
	(void)fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	pty->slave_fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* What the child says: here is the master; COMMAND was stopped. */
static void read_channel(struct pty *pty)
{
	char byte = 0;
	int master;
	ssize_t got = fd_receive(pty->channel_fd, &byte, 1, &master, 1, 0);

	if (got == -EAGAIN)
		return;
	if (got <= 0) {
		close_pointer(&pty->channel_fd);
		pty->channel_fd = -EBADF;
	} else if (byte == 0) {
		take_master(pty, master);
	} else {
		close_pointer(&master);
		follow_stop(pty, byte);
	}
}

void pty_begin(struct pty *pty, int pidfd)
{
	if (!pty->out.data)
		return;
	pty->target_fd = pidfd;
	if (pty->master_fd < 0)
		read_channel(pty); /* it was sent before COMMAND ran */
	pty_resume(pty);
}

/* ---- bytes ---- */

static size_t held(const struct pty_stream *stream)
{
	return stream->end - stream->start;
}

/* Room for more; what is held moves to the front where there is little. */
static size_t make_room(struct pty_stream *stream)
{
	if (stream->start == stream->end) {
		stream->start = stream->end = 0;
	} else if (stream->start && stream->end > PTY_BUFFER / 2) {
		memmove(stream->data, stream->data + stream->start, held(stream));
		stream->end -= stream->start;
		stream->start = 0;
	}
	return PTY_BUFFER - stream->end;
}

/* A filter may let out what it held back. */
static size_t least_room(const struct pty *pty, const struct pty_stream *stream)
{
	return stream == &pty->out && pty->filter ? PTY_FILTER_MAX + PTY_FILTER_MAX : 1;
}

static bool has_room(const struct pty *pty, const struct pty_stream *stream)
{
	return PTY_BUFFER - held(stream) >= least_room(pty, stream) + PTY_BUFFER / 2;
}

/* What a terminal has room for when poll(2) says that it has any (n_tty, WAKEUP_CHARS). */
#define CAREFUL_SIZE 256

/* false: nobody reads it any more. */
static bool drain_to(struct pty_stream *stream, int fd, enum pty_sink sink)
{
	const char *data = stream->data + stream->start;
	size_t size = held(stream);
	ssize_t put;

	if (sink == SINK_CAREFUL && size > CAREFUL_SIZE)
		size = CAREFUL_SIZE;
	put = sink == SINK_SOCKET ? send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
				  : write(fd, data, size);
	if (put > 0)
		stream->start += (size_t)put;
	return put >= 0 || errno == EAGAIN || errno == EINTR;
}

/* Bytes read, 0 at the end, -errno */
static ssize_t fill_from(struct pty *pty, struct pty_stream *stream, int fd)
{
	size_t room = make_room(stream);
	bool filters = stream == &pty->out && pty->filter;
	char raw[PTY_FILTER_MAX];
	ssize_t got;

	if (room < least_room(pty, stream))
		return -EAGAIN;
	got = filters ? read(fd, raw, sizeof(raw)) : read(fd, stream->data + stream->end, room);
	if (got < 0)
		return -errno;
	if (filters)
		stream->end +=
			pty_filter(pty->filter, raw, (size_t)got, stream->data + stream->end);
	else
		stream->end += (size_t)got;
	return got;
}

/* What COMMAND prints: as much as is there, up to what is held. false: nothing more comes. */
static bool fill_out(struct pty *pty)
{
	ssize_t got;

	do
		got = fill_from(pty, &pty->out, pty->master_fd);
	while (got > 0);
	return got == -EAGAIN || got == -EINTR;
}

static void carry_out(struct pty *pty)
{
	if (pty->out_fd >= 0 && !drain_to(&pty->out, pty->out_fd, pty->sink)) {
		pty->out_fd = -EBADF;
		hang_up(pty);
	}
}

/*
 * The end of what is typed, where that is no terminal: the character that means it, twice where a
 * line is begun, since the first ends only the line (termios(3), VEOF).
 */
static void type_end(struct pty *pty)
{
	struct termios modes;

	pty->in_ended = true;
	if (pty->master_fd < 0 || tcgetattr(pty->master_fd, &modes) < 0 || !make_room(&pty->in))
		return;
	for (int i = pty->at_line_start ? 1 : 0; i < 2; i++)
		if (make_room(&pty->in))
			pty->in.data[pty->in.end++] = (char)modes.c_cc[VEOF];
}

static void take_typed(struct pty *pty)
{
	ssize_t got = fill_from(pty, &pty->in, pty->in_fd);
	cc_t suspend = pty->terminal.saved.c_cc[VSUSP];
	const char *typed;

	if (got == -EAGAIN || got == -EINTR)
		return;
	if (got == -EIO && !terminal_is_ours(&pty->terminal)) {
		pty->terminal.is_raw = false; /* somebody else has it */
		return;
	}
	if (got <= 0 && pty->terminal.fd >= 0) {
		pty->in_ended = true;
		hang_up(pty);
		return;
	}
	if (got <= 0) {
		type_end(pty);
		return;
	}
	typed = pty->in.data + pty->in.end - got;
	pty->at_line_start = typed[got - 1] == '\n';
	if (pty->terminal.fd >= 0 && suspend && memchr(typed, suspend, (size_t)got))
		pty->suspend_typed = true;
}

/* ---- the supervisor's loop ---- */

static bool takes_input(const struct pty *pty)
{
	return has_begun(pty) && pty->master_fd >= 0 && !pty->in_ended && has_room(pty, &pty->in) &&
	       (pty->terminal.fd < 0 || pty->terminal.is_raw);
}

void pty_poll(const struct pty *pty, struct pollfd *fds)
{
	bool takes_output = has_begun(pty) && pty->master_fd >= 0 && has_room(pty, &pty->out);
	bool has_input = pty->master_fd >= 0 && held(&pty->in);

	fds[0] = (struct pollfd){ .fd = pty->channel_fd, .events = POLLIN };
	fds[1] = (struct pollfd){
		.fd = takes_output || has_input ? pty->master_fd : -1,
		.events = (short)((takes_output ? POLLIN : 0) | (has_input ? POLLOUT : 0)),
	};
	fds[2] = (struct pollfd){ .fd = takes_input(pty) ? pty->in_fd : -1, .events = POLLIN };
	fds[3] = (struct pollfd){ .fd = held(&pty->out) ? pty->out_fd : -1, .events = POLLOUT };
}

void pty_act(struct pty *pty, const struct pollfd *fds)
{
	if (fds[2].revents)
		take_typed(pty);
	if (fds[1].revents & POLLOUT && !drain_to(&pty->in, pty->master_fd, SINK_OWN))
		pty->in.start = pty->in.end;
	if (fds[1].revents & ~POLLOUT && pty->master_fd >= 0)
		(void)fill_out(pty);
	if (held(&pty->out) && (fds[3].revents || (fds[1].revents && pty->sink != SINK_CAREFUL)))
		carry_out(pty);
	if (fds[0].revents)
		read_channel(pty);
	/* Brought to the foreground without a word, as a shell may do with a job that runs. */
	if (!pty->terminal.is_raw)
		pty_resume(pty);
}

int pty_patience(const struct pty *pty)
{
	bool waits =
		has_begun(pty) && pty->is_wanted && pty->terminal.fd >= 0 && !pty->terminal.is_raw;

	return waits ? FOREGROUND_TICK_MS : -1;
}

/* Shows what is left of COMMAND's words. A terminal that is held (Ctrl-S) may take its time. */
static void show_rest(struct pty *pty, int signal_fd)
{
	bool is_more = pty->master_fd >= 0;

	while (pty->out_fd >= 0) {
		struct pollfd fds[] = {
			{ .fd = pty->out_fd, .events = POLLOUT },
			{ .fd = signal_fd, .events = POLLIN },
		};

		if (is_more)
			is_more = pty->master_fd >= 0 && fill_out(pty) && held(&pty->out);
		if (!held(&pty->out) || (poll(fds, 2, -1) < 0 && errno != EINTR) || fds[1].revents)
			return;
		carry_out(pty);
	}
}

void pty_end(struct pty *pty, int signal_fd)
{
	close_pointer(&pty->slave_fd);
	if (pty->out.data)
		show_rest(pty, signal_fd);
	terminal_restore(&pty->terminal);
	close_pointer(&pty->master_fd);
	close_pointer(&pty->channel_fd);
	if (pty->owns_in)
		close_pointer(&pty->in_fd);
	if (pty->sink == SINK_OWN)
		close_pointer(&pty->out_fd);
	free(pty->in.data);
	free(pty->out.data);
	free(pty->filter);
}
