/*
 * wsload - a small, fast load generator for WebSocket and plain TCP servers.
 *
 *   gcc -O2 -Wall -Wextra -o wsload wsload.c                        (plain)
 *   gcc -O2 -Wall -Wextra -DWITH_TLS -DWITH_DEFLATE -o wsload wsload.c -lssl -lcrypto -lz
 *
 * One thread, one epoll set. Every frame the client sends is built and masked
 * before the run starts: a ring of units, each with its own payload and its own
 * random mask, laid out back to back, so that sending k messages is one send().
 * The payloads differ from unit to unit and the server must answer in order, so
 * --verify can compare every reply byte by byte with what was sent.
 *
 * Latency is the time from just before the send() of a message to just after
 * the recv() that brought the end of its reply. The load is a closed loop:
 * every connection keeps --depth messages in flight.
 *
 * With --deflate (RFC 7692, no context takeover on either side) the units are
 * compressed before the run, too. What comes back is inflated with --verify,
 * or where a prefix must be read; else it is only counted, so that a fast
 * server is not held up by zlib in the client.
 *
 * See usage() for the options. The result is one line of JSON on stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif
#ifdef WITH_DEFLATE
#include <zlib.h>
#endif

/* ------------------------------------------------------------------ options */

enum mode { M_ECHO, M_BROADCAST, M_HANDSHAKE, M_IDLE };
enum wire { W_WS, W_LINE, W_RAW };
enum closing { CL_FIN, CL_RST, CL_WS };
enum payload { P_RAW, P_JSON, P_RECORDS };

#define MAX_SKIP 8
#define MAX_HEADERS 16

static struct {
	const char *host, *path, *origin;
	int port, conns, depth, ramp, nsrc;
	size_t size;
	double secs, warmup, timeout;
	enum mode mode;
	enum wire wire;
	enum closing closing;
	enum payload payload;
	bool deflate, ack, skip_json, verify, binary, utf8, tls, progress, quickack, spin;
	int ready; /* 1 wait for the ready frame, 0 do not, -1 by default */
	pid_t server_pid;
	const char *headers[MAX_HEADERS];
	int nheaders;
	const char *first;        /* text sent right after the handshake */
	const char *ready_pfx;    /* a message that starts so opens the dialog */
	const char *count_pfx;    /* only messages that start so are replies */
	const char *ack_pfx;      /* messages that start so release the next one */
	const char *skip[MAX_SKIP];
	int nskip;
	const char *pl_prefix, *pl_suffix;
} opt = {
	.host = "127.0.0.1", .path = "/", .origin = "http://localhost",
	.port = 8080, .conns = 1, .depth = 1, .ramp = 64, .nsrc = 0, .size = 32,
	.secs = 5, .warmup = 1, .timeout = 30, .mode = M_ECHO, .wire = W_WS,
	.closing = CL_FIN, .ready = -1,
};

static void usage(FILE *f)
{
	fputs(
"usage: wsload [options]\n"
" target   --host A (127.0.0.1)  --port P (8080)  --path /x (/)\n"
"          --origin O (http://localhost)  --header 'K: V' (repeatable)\n"
"          --tls  wss / TLS (certificates are not verified)\n"
" load     --mode echo|broadcast|handshake|idle (echo)\n"
"          --conns N (1)     connections (broadcast: N subscribers + 1 publisher)\n"
"          --size BYTES (32) payload of a message\n"
"          --depth D (1)     messages in flight per connection (broadcast: of the publisher)\n"
"          --secs S (5)  --warmup S (1)  --timeout S (30: limit for connecting)\n"
"          --ramp N (64)     connections being opened at the same time\n"
"          --src N           spread over N source addresses 127.0.0.2...\n"
"          --close fin|rst|ws (fin)  how handshake mode closes\n"
" wire     (default)         WebSocket, RFC 6455, masked frames\n"
"          --line            plain TCP: 'GET PATH\\n', then one JSON text per line\n"
"          --raw-tcp         plain TCP echo of SIZE bytes, no framing at all\n"
"          --deflate         permessage-deflate without context takeover on either side: all that\n"
"                            is sent is compressed, and all that counts as a reply must be.\n"
"                            mb_per_s is of compressed bytes then, with --verify of inflated ones\n"
" dialog   --payload raw|json|records (raw)\n"
"                            json: {\"opcode\":\"echo\",\"message\":\"...\"} of SIZE bytes,\n"
"                            and only {\"opcode\":\"echo\"... counts as a reply\n"
"                            records: SIZE bytes of JSON as an API gives it: it compresses to a half\n"
"          --ack             {\"opcode\":\"next\"... is the reply that releases the next message\n"
"          --skip-json       ignore {\"opcode\":\"ready\"... and {\"opcode\":\"next\"...\n"
"          --ready/--no-ready  wait for {\"opcode\":\"ready\"... before sending (default with --ack);\n"
"                            handshake mode: a connection counts when it came\n"
"          --binary          binary frames       --utf8  non-ASCII payload\n"
"          --first TEXT  --ready-prefix P  --count-prefix P  --skip-prefix P\n"
"          --payload-prefix P  --payload-suffix P      any other dialog\n"
"          --sio             socket.io 4 over its websocket transport\n"
" checks   --verify          compare every reply byte by byte\n"
"          --server-pid PID  report the CPU time and the RSS of the server\n"
"          --quickack        ack every segment at once: takes the 40 ms of Nagle + delayed\n"
"                            ack away from servers that write twice per message\n"
"          --spin            poll without sleeping: the server need not wake the client's\n"
"                            CPU up for every reply, which is dear on a virtual machine\n"
"          --progress        a line per second on stderr\n", f);
}

/* ------------------------------------------------------------------- basics */

static void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("wsload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static void *xalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);
	if (!p) die("out of memory (%zu bytes)", n);
	return p;
}

static inline uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t rng_state;

static uint64_t rng(void) /* splitmix64 */
{
	uint64_t z = (rng_state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static bool starts(const uint8_t *p, size_t n, const char *pfx)
{
	size_t l = strlen(pfx);
	return n >= l && memcmp(p, pfx, l) == 0;
}

/* ---------------------------------------------------------------- histogram */

/* Log-linear: 128 steps per power of two, so a value is off by < 0.8 %. */
#define SUB_BITS 7
#define SUB (1u << SUB_BITS)
#define NBUCKET ((64 - SUB_BITS + 1) * SUB)

struct hist {
	uint64_t n, max, b[NBUCKET];
	double sum;
};

static inline unsigned hist_index(uint64_t v)
{
	if (v < SUB) return (unsigned)v;
	unsigned e = 63u - (unsigned)__builtin_clzll(v) - SUB_BITS;
	return (e + 1) * SUB + (unsigned)((v >> e) - SUB);
}

static inline void hist_add(struct hist *h, uint64_t v)
{
	h->b[hist_index(v)]++;
	h->n++;
	h->sum += (double)v;
	if (v > h->max) h->max = v;
}

static double hist_pct(const struct hist *h, double p)
{
	uint64_t want = (uint64_t)((double)h->n * p + 0.999999), seen = 0;
	if (!h->n) return 0;
	if (want < 1) want = 1;
	for (unsigned i = 0; i < NBUCKET; i++) {
		seen += h->b[i];
		if (seen < want) continue;
		if (i < SUB) return i;
		unsigned e = i / SUB - 1;
		double lo = (double)((uint64_t)(SUB + i % SUB) << e);
		double mid = lo + (double)((uint64_t)1 << e) / 2;
		return mid < (double)h->max ? mid : (double)h->max;
	}
	return (double)h->max;
}

/* ------------------------------------------------- SHA-1 and base64 (accept) */

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1(const uint8_t *msg, size_t len, uint8_t out[20])
{
	uint32_t h[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
	uint8_t buf[192] = { 0 };
	size_t total = (len + 9 + 63) / 64 * 64;
	if (total > sizeof buf) die("sha1: message too long");
	memcpy(buf, msg, len);
	buf[len] = 0x80;
	for (int i = 0; i < 8; i++) buf[total - 1 - i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
	for (size_t o = 0; o < total; o += 64) {
		uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
		for (int i = 0; i < 16; i++)
			w[i] = (uint32_t)buf[o + 4 * i] << 24 | (uint32_t)buf[o + 4 * i + 1] << 16 |
			       (uint32_t)buf[o + 4 * i + 2] << 8 | buf[o + 4 * i + 3];
		for (int i = 16; i < 80; i++)
			w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		for (int i = 0; i < 80; i++) {
			uint32_t f, k;
			if (i < 20) f = (b & c) | (~b & d), k = 0x5A827999;
			else if (i < 40) f = b ^ c ^ d, k = 0x6ED9EBA1;
			else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
			else f = b ^ c ^ d, k = 0xCA62C1D6;
			uint32_t t = rol(a, 5) + f + e + k + w[i];
			e = d; d = c; c = rol(b, 30); b = a; a = t;
		}
		h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
	}
	for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *p, size_t n, char *out)
{
	static const char t[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (; n >= 3; p += 3, n -= 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*out++ = t[v >> 18]; *out++ = t[v >> 12 & 63]; *out++ = t[v >> 6 & 63]; *out++ = t[v & 63];
	}
	if (n) {
		uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
		*out++ = t[v >> 18]; *out++ = t[v >> 12 & 63];
		*out++ = n == 2 ? t[v >> 6 & 63] : '='; *out++ = '=';
	}
	*out = 0;
}

/* ----------------------------------------------------------- what is sent */

#define NKEYS 32
#define DEFLATE_OFFER "Sec-WebSocket-Extensions: permessage-deflate; " \
	"client_no_context_takeover; server_no_context_takeover\r\n"
static struct { char *req; size_t len; char accept[32]; } hello[NKEYS];

static void make_hello(void)
{
	for (int i = 0; i < NKEYS; i++) {
		uint8_t raw[16], dig[20];
		char key[32], tmp[96], extra[4096] = "";
		for (int j = 0; j < 16; j++) raw[j] = (uint8_t)rng();
		base64(raw, 16, key);
		snprintf(tmp, sizeof tmp, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
		sha1((uint8_t *)tmp, strlen(tmp), dig);
		base64(dig, 20, hello[i].accept);
		for (int k = 0; k < opt.nheaders; k++) {
			strncat(extra, opt.headers[k], sizeof extra - strlen(extra) - 3);
			strcat(extra, "\r\n");
		}
		int r;
		if (opt.wire == W_LINE)
			r = asprintf(&hello[i].req, "GET %s\n", opt.path);
		else
			r = asprintf(&hello[i].req,
				"GET %s HTTP/1.1\r\nHost: %s:%d\r\nOrigin: %s\r\n"
				"Upgrade: websocket\r\nConnection: Upgrade\r\n"
				"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n",
				opt.path, opt.host, opt.port, opt.origin, key, opt.deflate ? DEFLATE_OFFER : "", extra);
		if (r < 0) die("out of memory");
		hello[i].len = (size_t)r;
	}
}

/* The ring of prepared units. It is stored twice in a row, so that up to nunit
 * units can be sent with one call from any position. */
static struct {
	uint8_t *wire;   /* 2 * nunit units, as they go out */
	size_t *at;      /* where each of them begins, and where the last one ends */
	uint8_t *plain;  /* nunit payloads of plen bytes, as they must come back */
	size_t plen;
	unsigned nunit;
} tx;

static size_t put_frame(uint8_t *o, int first, const uint8_t *p, size_t n) /* first: opcode, maybe with RSV1 */
{
	size_t h = 0;
	uint32_t m = (uint32_t)rng();
	uint8_t mask[4];
	o[h++] = (uint8_t)(0x80 | first);
	if (n < 126) o[h++] = (uint8_t)(0x80 | n);
	else if (n < 65536) {
		o[h++] = 0x80 | 126;
		o[h++] = (uint8_t)(n >> 8); o[h++] = (uint8_t)n;
	} else {
		o[h++] = 0x80 | 127;
		for (int i = 7; i >= 0; i--) o[h++] = (uint8_t)((uint64_t)n >> (8 * i));
	}
	memcpy(mask, &m, 4);
	memcpy(o + h, mask, 4);
	h += 4;
	for (size_t i = 0; i < n; i++) o[h + i] = p[i] ^ mask[i & 3];
	return h + n;
}

/* RFC 7692 7.2.1: a raw deflate stream, flushed, without the 00 00 ff ff that ends it. */
#ifdef WITH_DEFLATE
static const uint8_t flush_end[4] = { 0, 0, 0xff, 0xff };

static size_t compressed(const uint8_t *p, size_t n, uint8_t *o, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = o, .avail_out = (uInt)room };
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) die("deflateInit2");
	if (deflate(&z, Z_SYNC_FLUSH) != Z_OK || z.avail_in || !z.avail_out) die("deflate: %zu bytes do not fit", n);
	deflateEnd(&z);
	size_t len = room - z.avail_out;
	if (len < 4 || memcmp(o + len - 4, flush_end, 4) != 0) die("deflate: no flush at the end");
	return len - 4;
}
#endif

static size_t put_text(uint8_t *p, size_t n) /* n random characters */
{
	static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t i = 0;
	while (i < n) {
		if (opt.utf8 && n - i >= 2) { /* U+00C0 .. U+04FF, two bytes each */
			unsigned cp = 0xC0 + (unsigned)(rng() % (0x500 - 0xC0));
			p[i++] = (uint8_t)(0xC0 | cp >> 6);
			p[i++] = (uint8_t)(0x80 | (cp & 63));
		} else p[i++] = (uint8_t)alnum[rng() & 63];
	}
	return n;
}

#define RECORD 200 /* more than any record takes */
#define MIN_RECORDS 64

/* n bytes of JSON: as many records as fit, then a note that fills the rest */
static void put_records(uint8_t *p, size_t n)
{
	static const char *const names[] = { "Amelia", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo",
					     "Ines", "Jonas", "Katya", "Liam", "Mina", "Noor", "Oscar", "Priya" };
	static const char *const towns[] = { "Aarhus", "Bergen", "Cadiz", "Dresden", "Evora", "Freiburg", "Ghent", "Hobart" };
	static const char *const states[] = { "open", "paid", "sent", "returned" };
	char text[RECORD];
	size_t i = (size_t)sprintf((char *)p, "{\"orders\":[");
	for (const char *comma = ""; n - i >= RECORD + 40; comma = ",") {
		uint64_t r = rng();
		const char *name = names[r & 15];
		int l = snprintf(text, sizeof text,
			"%s{\"id\":%u,\"customer\":\"%s\",\"email\":\"%s.%u@example.com\",\"town\":\"%s\",\"total\":%u.%02u,"
			"\"state\":\"%s\",\"paid\":%s}", comma, (unsigned)(r >> 40), name, name, (unsigned)(r >> 32 & 255),
			towns[r >> 4 & 7], (unsigned)(r >> 20 & 1023), (unsigned)(r >> 12 & 63), states[r >> 8 & 3],
			r >> 10 & 1 ? "true" : "false");
		memcpy(p + i, text, (size_t)l);
		i += (size_t)l;
	}
	i += (size_t)sprintf(text, "],\"note\":\"");
	memcpy(p + i - 10, text, 10);
	i += put_text(p + i, n - i - 2);
	memcpy(p + i, "\"}", 2);
}

static void put_payload(uint8_t *p, size_t n)
{
	if (opt.payload == P_RECORDS) { put_records(p, n); return; }
	const char *pfx = opt.pl_prefix ? opt.pl_prefix : "";
	const char *sfx = opt.pl_suffix ? opt.pl_suffix : "";
	size_t lp = strlen(pfx), ls = strlen(sfx);
	memcpy(p, pfx, lp);
	put_text(p + lp, n - lp - ls);
	memcpy(p + n - ls, sfx, ls);
}

static size_t put_unit(uint8_t *o, const uint8_t *p, size_t n)
{
	if (opt.wire == W_WS) {
		int op = opt.binary ? 2 : 1;
#ifdef WITH_DEFLATE
		static uint8_t *z;
		size_t room = n + n / 100 + 64;
		if (opt.deflate && !z) z = xalloc(room);
		if (opt.deflate) return put_frame(o, op | 0x40, z, compressed(p, n, z, room));
#endif
		return put_frame(o, op, p, n);
	}
	memcpy(o, p, n);
	if (opt.wire == W_LINE) o[n++] = '\n';
	return n;
}

static void make_units(void)
{
	size_t affixes = (opt.pl_prefix ? strlen(opt.pl_prefix) : 0) + (opt.pl_suffix ? strlen(opt.pl_suffix) : 0);
	tx.plen = opt.size < affixes ? affixes : opt.size;
	tx.nunit = (unsigned)((1u << 20) / (tx.plen + 16));
	if (tx.nunit > 256) tx.nunit = 256;
	if (tx.nunit < 2) tx.nunit = 2;
	tx.plain = xalloc(tx.nunit * tx.plen + 1);
	tx.wire = xalloc(2 * tx.nunit * (tx.plen + tx.plen / 100 + 80));
	tx.at = xalloc((2 * tx.nunit + 1) * sizeof *tx.at);
	for (unsigned u = 0; u < tx.nunit; u++) {
		uint8_t *p = tx.plain + u * tx.plen;
		put_payload(p, tx.plen);
		tx.at[u + 1] = tx.at[u] + put_unit(tx.wire + tx.at[u], p, tx.plen);
	}
	size_t all = tx.at[tx.nunit];
	memcpy(tx.wire + all, tx.wire, all);
	for (unsigned u = 1; u <= tx.nunit; u++) tx.at[tx.nunit + u] = all + tx.at[u];
}

/* -------------------------------------------------------------- connections */

enum state { S_FREE, S_CONNECT, S_TLS, S_HELLO, S_OPEN };

#define HEAD 160 /* first bytes of a message that are kept when it arrives in pieces */

struct conn {
	int fd;
	uint8_t state, want_out, is_pub, ready;
	uint8_t key;
	/* sending */
	uint32_t tosend;        /* units due, the first one maybe partly out */
	uint32_t txi;           /* its place in the ring */
	size_t woff;            /* bytes of it that are out */
	uint64_t txn, rxn;      /* messages due so far, replies so far */
	uint64_t *ts;           /* when each message in flight was sent */
	/* receiving */
	uint32_t rxi;           /* ring place of the payload expected next */
	uint8_t hdr[14], hn;    /* frame header, gathered when it arrives in pieces */
	uint8_t op, fin, msg_op, in_payload, bad;
	uint8_t packed;         /* the message is compressed */
	uint8_t *zip;           /* what of it has come, allocated when it arrives in pieces and is inflated */
	size_t zipn;
	uint64_t remain;        /* of the frame's payload */
	uint64_t mpos;          /* of the message */
	uint16_t headn;
	uint8_t *head;          /* HEAD bytes, allocated when first needed */
	uint8_t ctl[126], ctln;
	uint64_t t_conn, measured;
	uint8_t *hs;            /* handshake answer */
	size_t hsn;
	uint8_t out[160];       /* small unsent things: pongs, --first */
	uint16_t outn;
#ifdef WITH_TLS
	SSL *ssl;
	uint8_t ssl_want_w;
#endif
};

static struct conn *conns;
static int nconn, nopen, nready, nconnecting, next_conn;
static int ep;
static struct sockaddr_in peer;
static uint64_t ts_mask;
static uint32_t src_next;
static uint8_t *rbuf;
#define RBUF (512 * 1024)

static bool measuring, stopping;
static struct {
	uint64_t msgs, bytes, echoes, acks, skipped, errors, verify_errors, pings;
	uint64_t handshakes, deliveries, pub_rx, closed, connect_errors;
} st;
static struct hist *lat, *lat2;
static uint64_t last_progress;
static char first_error[160];

/* broadcast: which subscribers have seen message s */
#define BRING 256
static struct { uint32_t got; uint64_t ts; } bc[BRING];
static int nsubs;

static void note(const char *fmt, ...)
{
	if (first_error[0]) return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(first_error, sizeof first_error, fmt, ap);
	va_end(ap);
	for (char *p = first_error; *p; p++) if (*p == '"' || *p == '\\' || (uint8_t)*p < 32) *p = '\'';
}

#ifdef WITH_TLS
static SSL_CTX *ctx;
#endif

static ssize_t c_send(struct conn *c, const void *p, size_t n)
{
#ifdef WITH_TLS
	if (c->ssl) {
		ERR_clear_error();
		int r = SSL_write(c->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
		if (r > 0) return r;
		int e = SSL_get_error(c->ssl, r);
		if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ) { errno = EAGAIN; return -1; }
		errno = ECONNRESET;
		return -1;
	}
#endif
	return send(c->fd, p, n, MSG_NOSIGNAL);
}

static ssize_t c_recv(struct conn *c, void *p, size_t n)
{
#ifdef WITH_TLS
	if (c->ssl) {
		ERR_clear_error();
		int r = SSL_read(c->ssl, p, (int)n);
		if (r > 0) return r;
		int e = SSL_get_error(c->ssl, r);
		if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ) { errno = EAGAIN; return -1; }
		if (e == SSL_ERROR_ZERO_RETURN) return 0;
		errno = ECONNRESET;
		return -1;
	}
#endif
	return recv(c->fd, p, n, 0);
}

static void watch(struct conn *c, bool out)
{
	if (c->want_out == out) return;
	struct epoll_event e = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };
	c->want_out = out;
	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void conn_close(struct conn *c)
{
	if (c->state == S_FREE) return;
	if (c->state == S_OPEN) {
		nopen--;
		if (c->ready) nready--;
	} else nconnecting--;
#ifdef WITH_TLS
	if (c->ssl) { SSL_free(c->ssl); c->ssl = NULL; }
#endif
	close(c->fd);
	c->fd = -1;
	c->state = S_FREE;
}

static void conn_fail(struct conn *c, const char *why)
{
	if (c->state == S_FREE) return;
	if (!stopping) {
		st.errors++;
		if (c->state != S_OPEN) st.connect_errors++;
		else st.closed++;
		note("connection %d: %s", (int)(c - conns), why);
	}
	conn_close(c);
}

static void flush_out(struct conn *c)
{
	while (c->outn) {
		ssize_t r = c_send(c, c->out, c->outn);
		if (r < 0) {
			if (errno == EAGAIN || errno == EINTR) { watch(c, true); return; }
			conn_fail(c, strerror(errno));
			return;
		}
		memmove(c->out, c->out + r, c->outn - (size_t)r);
		c->outn = (uint16_t)(c->outn - r);
	}
}

static void flush(struct conn *c)
{
	if (c->outn && c->woff == 0) {
		flush_out(c);
		if (c->outn || c->state != S_OPEN) return;
	}
	while (c->tosend) {
		uint32_t n = c->tosend < tx.nunit ? c->tosend : tx.nunit;
		size_t from = tx.at[c->txi] + c->woff, len = tx.at[c->txi + n] - from;
		ssize_t r = c_send(c, tx.wire + from, len);
		if (r < 0) {
			if (errno == EAGAIN || errno == EINTR) { watch(c, true); return; }
			conn_fail(c, strerror(errno));
			return;
		}
		uint32_t k = 0;
		while (k < n && tx.at[c->txi + k + 1] <= from + (size_t)r) k++;
		c->woff = from + (size_t)r - tx.at[c->txi + k];
		c->tosend -= k;
		c->txi = (c->txi + k) % tx.nunit;
#ifdef WITH_TLS
		if (c->ssl) continue; /* TLS records end early; only EAGAIN means full */
#endif
		if ((size_t)r < len) { watch(c, true); return; }
	}
	if (c->want_out) watch(c, false);
}

static void due(struct conn *c, uint32_t n, uint64_t t) /* n more messages are to be sent */
{
	for (uint32_t i = 0; i < n; i++) c->ts[c->txn++ & ts_mask] = t;
	c->tosend += n;
}

static void small_frame(struct conn *c, int op, const uint8_t *p, size_t n)
{
	if (n > 125 || c->outn + n + 6 > sizeof c->out) return;
	c->outn = (uint16_t)(c->outn + put_frame(c->out + c->outn, op, p, n));
	flush(c);
}

static void handshake_done(struct conn *c, uint64_t t);

static void not_compressed(void)
{
	st.errors++;
	note("a reply is not compressed");
}

/* one whole message came in; head holds its first bytes, len is its length */
static void on_message(struct conn *c, const uint8_t *head, size_t hn, uint64_t len, bool bad, uint64_t t)
{
	if (opt.ready_pfx && !c->ready && starts(head, hn, opt.ready_pfx)) {
		c->ready = 1;
		nready++;
		if (opt.mode == M_HANDSHAKE) handshake_done(c, t);
		return;
	}
	if (opt.ack_pfx && starts(head, hn, opt.ack_pfx)) {
		st.acks++;
		if (opt.mode != M_ECHO) return;
		goto reply;
	}
	for (int i = 0; i < opt.nskip; i++)
		if (starts(head, hn, opt.skip[i])) { st.skipped++; return; }
	if (opt.count_pfx && !starts(head, hn, opt.count_pfx)) {
		st.skipped++;
		return;
	}
	if (opt.mode == M_IDLE || opt.mode == M_HANDSHAKE) { st.skipped++; return; }
	if (c->is_pub) { st.pub_rx++; return; }

	if (opt.deflate && !c->packed) not_compressed();
	if (opt.verify && (bad || len != tx.plen)) {
		st.verify_errors++;
		note("reply differs from what was sent: %" PRIu64 " bytes for %zu, %.*s", len, tx.plen,
		     (int)(hn < 60 ? hn : 60), (const char *)head);
	}
	c->rxi = c->rxi + 1 == tx.nunit ? 0 : c->rxi + 1;
	if (measuring) { st.bytes += len; st.echoes++; }

	if (opt.mode == M_BROADCAST) {
		unsigned s = (unsigned)(c->rxn++ % BRING);
		if (measuring) {
			st.deliveries++;
			hist_add(lat2, t - bc[s].ts);
		}
		c->measured++;
		if (++bc[s].got == (uint32_t)nsubs) {
			bc[s].got = 0;
			if (measuring) { st.msgs++; hist_add(lat, t - bc[s].ts); }
			struct conn *pub = &conns[0];
			if (!stopping && pub->state == S_OPEN) {
				uint64_t t2 = now_ns();
				bc[pub->txn % BRING].ts = t2;
				due(pub, 1, t2);
				if (!pub->want_out) flush(pub);
			}
		}
		return;
	}
	if (opt.ack_pfx) return; /* the ack, not the echo, releases the next message */
reply:
	if (c->rxn == c->txn - c->tosend) { /* more replies than messages sent */
		st.errors++;
		note("a reply without a message");
		return;
	}
	uint64_t d = t - c->ts[c->rxn++ & ts_mask];
	if (measuring) {
		st.msgs++;
		c->measured++;
		hist_add(lat, d);
	}
	if (!stopping) due(c, 1, t);
}

static void keep_head(struct conn *c, const uint8_t *p, size_t n)
{
	if (c->headn >= HEAD) return;
	if (!c->head) c->head = xalloc(HEAD);
	size_t k = HEAD - c->headn;
	if (k > n) k = n;
	memcpy(c->head + c->headn, p, k);
	c->headn = (uint16_t)(c->headn + k);
}

static inline bool differs(struct conn *c, uint64_t pos, const uint8_t *p, size_t n)
{
	return pos + n > tx.plen || memcmp(tx.plain + c->rxi * tx.plen + pos, p, n) != 0;
}

static bool must_inflate;

#ifdef WITH_DEFLATE
/* one whole compressed message came in */
static void on_packed(struct conn *c, const uint8_t *p, size_t n, uint64_t t)
{
	static z_stream z;
	static uint8_t *plain;
	static size_t room;
	if (!plain) {
		room = tx.plen < 65536 ? 65536 : tx.plen + 1; /* a longer reply is wrong, a longer `ready` is not */
		plain = xalloc(room);
		if (inflateInit2(&z, -15) != Z_OK) die("inflateInit2");
	}
	inflateReset(&z); /* no context takeover */
	z.next_out = plain;
	z.avail_out = (uInt)room;
	z.next_in = (Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	int r = inflate(&z, Z_SYNC_FLUSH);
	if (r == Z_OK || r == Z_BUF_ERROR) {
		z.next_in = (Bytef *)(uintptr_t)flush_end;
		z.avail_in = sizeof flush_end;
		r = inflate(&z, Z_SYNC_FLUSH);
	}
	if ((r != Z_OK && r != Z_BUF_ERROR) || z.avail_in) { conn_fail(c, "a message that cannot be inflated"); return; }
	size_t len = room - z.avail_out;
	on_message(c, plain, len, len, opt.verify && differs(c, 0, plain, len), t);
}

static void keep_packed(struct conn *c, const uint8_t *p, size_t n)
{
	c->zip = realloc(c->zip, c->zipn + n);
	if (!c->zip) die("out of memory");
	memcpy(c->zip + c->zipn, p, n);
	c->zipn += n;
}
#else
static void on_packed(struct conn *c, const uint8_t *p, size_t n, uint64_t t) { (void)c, (void)p, (void)n, (void)t; }
static void keep_packed(struct conn *c, const uint8_t *p, size_t n) { (void)c, (void)p, (void)n; }
#endif

static void on_control(struct conn *c)
{
	if (c->op == 9) { st.pings++; small_frame(c, 10, c->ctl, c->ctln); }
	else if (c->op == 8) {
		char why[64];
		snprintf(why, sizeof why, "server sent close %d", c->ctln >= 2 ? c->ctl[0] << 8 | c->ctl[1] : 1005);
		conn_fail(c, why);
	}
}

static void on_ws(struct conn *c, const uint8_t *p, size_t n, uint64_t t)
{
	while (n && c->state == S_OPEN) {
		if (!c->in_payload) {
			const uint8_t *h;
			size_t hl = 2;
			if (c->hn == 0 && n >= 2) {
				h = p;
				if ((h[1] & 127) == 126) hl = 4;
				else if ((h[1] & 127) == 127) hl = 10;
				if (n < hl) { memcpy(c->hdr, p, n); c->hn = (uint8_t)n; return; }
				p += hl; n -= hl;
			} else {
				c->hdr[c->hn++] = *p++; n--;
				if (c->hn < 2) continue;
				h = c->hdr;
				if ((h[1] & 127) == 126) hl = 4;
				else if ((h[1] & 127) == 127) hl = 10;
				if (c->hn < hl) continue;
				c->hn = 0;
			}
			uint64_t len = h[1] & 127;
			c->op = h[0] & 15;
			c->fin = h[0] >> 7;
			bool packed = opt.deflate && (h[0] & 0x40) && (c->op == 1 || c->op == 2);
			if (h[0] & 0x70 & ~(packed ? 0x40 : 0)) { conn_fail(c, "reserved bits set"); return; }
			if (h[1] & 128) { conn_fail(c, "masked frame from the server"); return; }
			if (len == 126) len = (uint64_t)h[2] << 8 | h[3];
			else if (len == 127) {
				len = 0;
				for (int i = 2; i < 10; i++) len = len << 8 | h[i];
			}
			if (c->op >= 8) {
				if (len > 125 || !c->fin) { conn_fail(c, "bad control frame"); return; }
				c->ctln = 0;
			} else if (c->op == 0) {
				if (!c->msg_op) { conn_fail(c, "continuation without a start"); return; }
			} else {
				if (c->msg_op) { conn_fail(c, "new message inside a message"); return; }
				c->packed = packed;
				if (c->fin && n >= len) { /* the usual case: a whole message is here */
					if (packed && must_inflate) on_packed(c, p, len, t);
					else on_message(c, p, len, len, opt.verify && differs(c, 0, p, len), t);
					p += len; n -= len;
					continue;
				}
				c->msg_op = c->op;
				c->mpos = 0; c->headn = 0; c->bad = 0; c->zipn = 0;
			}
			c->remain = len;
			c->in_payload = 1;
			if (!n && len) return;
		}
		size_t k = n < c->remain ? n : (size_t)c->remain;
		if (c->op >= 8) {
			memcpy(c->ctl + c->ctln, p, k);
			c->ctln = (uint8_t)(c->ctln + k);
		} else if (k && c->packed && must_inflate) {
			keep_packed(c, p, k);
		} else if (k) {
			keep_head(c, p, k);
			if (opt.verify && !c->bad && differs(c, c->mpos, p, k)) c->bad = 1;
			c->mpos += k;
		}
		p += k; n -= k; c->remain -= k;
		if (c->remain) return;
		c->in_payload = 0;
		if (c->op >= 8) on_control(c);
		else if (c->fin) {
			c->msg_op = 0;
			if (c->packed && must_inflate) on_packed(c, c->zip, c->zipn, t);
			else on_message(c, c->head, c->headn, c->mpos, c->bad, t);
		}
	}
}

static void on_line(struct conn *c, const uint8_t *p, size_t n, uint64_t t)
{
	while (n && c->state == S_OPEN) {
		const uint8_t *e = memchr(p, '\n', n);
		size_t k = e ? (size_t)(e - p) : n;
		if (e && c->mpos == 0 && c->headn == 0) {
			size_t l = k && p[k - 1] == '\r' ? k - 1 : k;
			if (l) on_message(c, p, l, l, opt.verify && differs(c, 0, p, l), t);
		} else {
			if (k) keep_head(c, p, k);
			if (opt.verify && !c->bad && k && differs(c, c->mpos, p, k)) c->bad = 1;
			c->mpos += k;
			if (e) {
				uint64_t l = c->mpos;
				c->mpos = 0;
				uint16_t hn = c->headn;
				c->headn = 0;
				bool bad = c->bad;
				c->bad = 0;
				if (l) on_message(c, c->head, hn, l, bad, t);
			}
		}
		p += k; n -= k;
		if (e) { p++; n--; }
	}
}

static void on_raw(struct conn *c, const uint8_t *p, size_t n, uint64_t t)
{
	while (n && c->state == S_OPEN) {
		size_t k = tx.plen - (size_t)c->mpos;
		if (k > n) k = n;
		if (opt.verify && !c->bad && differs(c, c->mpos, p, k)) c->bad = 1;
		c->mpos += k;
		p += k; n -= k;
		if (c->mpos == tx.plen) {
			bool bad = c->bad;
			c->mpos = 0; c->bad = 0;
			on_message(c, p, 0, tx.plen, bad, t);
		}
	}
}

static void on_bytes(struct conn *c, const uint8_t *p, size_t n, uint64_t t)
{
	if (opt.wire == W_WS) on_ws(c, p, n, t);
	else if (opt.wire == W_LINE) on_line(c, p, n, t);
	else on_raw(c, p, n, t);
}

/* --------------------------------------------------------- opening, closing */

static void conn_start(struct conn *c)
{
	uint64_t *ts = c->ts;
	uint8_t *head = c->head, *hs = c->hs, *zip = c->zip;
	uint8_t pub = c->is_pub;
	uint64_t measured = c->measured;
	memset(c, 0, sizeof *c);
	c->ts = ts; c->head = head; c->hs = hs; c->zip = zip; c->is_pub = pub; c->measured = measured;
	c->txi = c->rxi = (uint32_t)((unsigned)(c - conns) * 7 % tx.nunit);
	if (opt.mode == M_BROADCAST) c->txi = c->rxi = 0;
	c->key = (uint8_t)(rng() % NKEYS);
	if (!c->hs) c->hs = xalloc(4096);

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) die("socket: %s (ulimit -n?)", strerror(errno));
	int one = 1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (opt.nsrc) {
		struct sockaddr_in a = { .sin_family = AF_INET };
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + src_next++ % (uint32_t)opt.nsrc);
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
		if (bind(c->fd, (struct sockaddr *)&a, sizeof a) < 0) die("bind: %s", strerror(errno));
	}
	c->t_conn = now_ns();
	c->state = S_CONNECT;
	nconnecting++;
	int r = connect(c->fd, (struct sockaddr *)&peer, sizeof peer);
	if (r < 0 && errno != EINPROGRESS) {
		conn_fail(c, strerror(errno));
		return;
	}
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
	c->want_out = 1;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) < 0) die("epoll_ctl: %s", strerror(errno));
}

static void handshake_done(struct conn *c, uint64_t t)
{
	if (measuring) {
		st.handshakes++;
		hist_add(lat, t - c->t_conn);
	}
	last_progress = t;
	if (opt.closing == CL_RST) {
		struct linger l = { 1, 0 };
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	} else if (opt.closing == CL_WS && opt.wire == W_WS) {
		static const uint8_t code[2] = { 1000 >> 8, 1000 & 255 };
		small_frame(c, 8, code, 2);
		if (c->state == S_FREE) return;
		shutdown(c->fd, SHUT_WR);
	}
	conn_close(c);
}

static void opened(struct conn *c, uint64_t t)
{
	c->state = S_OPEN;
	nconnecting--;
	nopen++;
	if (!opt.ready_pfx) { c->ready = 1; nready++; }
	watch(c, false);
	if (opt.mode == M_HANDSHAKE && c->ready) { handshake_done(c, t); return; }
	if (opt.first) {
		if (opt.wire == W_WS) small_frame(c, 1, (const uint8_t *)opt.first, strlen(opt.first));
		else {
			c->outn = (uint16_t)snprintf((char *)c->out, sizeof c->out, "%s\n", opt.first);
			flush(c);
		}
	}
}

static void say_hello(struct conn *c, uint64_t t)
{
	if (opt.wire == W_RAW) { opened(c, t); return; }
	ssize_t r = c_send(c, hello[c->key].req, hello[c->key].len);
	if (r != (ssize_t)hello[c->key].len) { conn_fail(c, "cannot send the request"); return; }
	c->state = S_HELLO;
	c->hsn = 0;
	watch(c, false);
	if (opt.wire == W_LINE) opened(c, t);
}

/* why the answer is none to DEFLATE_OFFER (RFC 7692 7.1.1.1: what a server accepts it repeats); NULL: it is one */
static const char *deflate_refused(const char *head)
{
	const char *e = strcasestr(head, "\r\nSec-WebSocket-Extensions:");
	if (!e) return "permessage-deflate is refused";
	char line[256];
	snprintf(line, sizeof line, "%.*s", (int)strcspn(e + 2, "\r"), e + 2);
	if (!strstr(line, "permessage-deflate")) return "permessage-deflate is refused";
	if (!strstr(line, "server_no_context_takeover")) return "the server would keep its compression context";
	return NULL;
}

static void on_hello(struct conn *c, const uint8_t *p, size_t n, uint64_t t)
{
	size_t room = 4095 - c->hsn, k = n < room ? n : room;
	memcpy(c->hs + c->hsn, p, k);
	size_t before = c->hsn;
	c->hsn += k;
	c->hs[c->hsn] = 0;
	char *end = strstr((char *)c->hs, "\r\n\r\n");
	if (!end) {
		if (c->hsn == 4095) conn_fail(c, "answer to the handshake is too long");
		return;
	}
	*end = 0;
	if (strncmp((char *)c->hs, "HTTP/1.1 101 ", 13) != 0) {
		char why[80];
		snprintf(why, sizeof why, "no upgrade: %.60s", (char *)c->hs);
		conn_fail(c, why);
		return;
	}
	char *a = strcasestr((char *)c->hs, "\r\nSec-WebSocket-Accept:");
	if (a) {
		a += strlen("\r\nSec-WebSocket-Accept:");
		while (*a == ' ') a++;
	}
	if (!a || strncmp(a, hello[c->key].accept, 28) != 0) {
		conn_fail(c, "wrong Sec-WebSocket-Accept");
		return;
	}
	if (opt.deflate) {
		const char *why = deflate_refused((char *)c->hs);
		if (why) { conn_fail(c, why); return; }
	}
	size_t used = (size_t)(end - (char *)c->hs) + 4 - before;
	free(c->hs);
	c->hs = NULL;
	opened(c, t);
	if (c->state == S_OPEN && n > used) on_bytes(c, p + used, n - used, t);
}

static void on_event(struct conn *c, uint32_t ev)
{
	if (c->state == S_FREE) return;
	if (c->state == S_CONNECT) {
		if (!(ev & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
		int err = 0;
		socklen_t l = sizeof err;
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
		if (err) { conn_fail(c, strerror(err)); return; }
#ifdef WITH_TLS
		if (opt.tls) {
			c->ssl = SSL_new(ctx);
			SSL_set_fd(c->ssl, c->fd);
			SSL_set_connect_state(c->ssl);
			SSL_set_tlsext_host_name(c->ssl, "localhost");
			c->state = S_TLS;
		} else
#endif
		{
			say_hello(c, now_ns());
			return;
		}
	}
#ifdef WITH_TLS
	if (c->state == S_TLS) {
		ERR_clear_error();
		int r = SSL_do_handshake(c->ssl);
		if (r == 1) { say_hello(c, now_ns()); return; }
		int e = SSL_get_error(c->ssl, r);
		if (e == SSL_ERROR_WANT_READ) watch(c, false);
		else if (e == SSL_ERROR_WANT_WRITE) watch(c, true);
		else conn_fail(c, "TLS handshake failed");
		return;
	}
#endif
	if (ev & EPOLLOUT) {
		watch(c, false);
		if (c->state == S_OPEN) flush(c);
	}
	if (!(ev & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
	bool more = true;
	while (more && c->state >= S_HELLO) {
		ssize_t r = c_recv(c, rbuf, RBUF);
		if (r < 0) {
			if (errno == EAGAIN || errno == EINTR) break;
			conn_fail(c, strerror(errno));
			return;
		}
		if (r == 0) { conn_fail(c, "closed by the server"); return; }
		if (opt.quickack) {
			int one = 1;
			setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
		}
		more = false; /* level triggered: epoll tells if there is more */
#ifdef WITH_TLS
		if (c->ssl && SSL_pending(c->ssl) > 0) more = true;
#endif
		uint64_t t = now_ns();
		if (c->state == S_HELLO) on_hello(c, rbuf, (size_t)r, t);
		else on_bytes(c, rbuf, (size_t)r, t);
	}
	if (c->state == S_OPEN && (c->tosend || c->outn) && !c->want_out) flush(c);
}

/* ----------------------------------------------------------- server, report */

static double server_cpu(void) /* seconds */
{
	if (!opt.server_pid) return 0;
	char path[64], buf[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", opt.server_pid);
	FILE *f = fopen(path, "r");
	if (!f) return 0;
	size_t n = fread(buf, 1, sizeof buf - 1, f);
	fclose(f);
	buf[n] = 0;
	char *p = strrchr(buf, ')');
	unsigned long u = 0, s = 0;
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s) != 2) return 0;
	return (double)(u + s) / (double)sysconf(_SC_CLK_TCK);
}

static long server_rss(void) /* KiB */
{
	if (!opt.server_pid) return 0;
	char path[64], line[256];
	long kb = 0;
	snprintf(path, sizeof path, "/proc/%d/status", opt.server_pid);
	FILE *f = fopen(path, "r");
	if (!f) return 0;
	while (fgets(line, sizeof line, f)) if (sscanf(line, "VmRSS: %ld", &kb) == 1) break;
	fclose(f);
	return kb;
}

static double own_cpu(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec / 1e6 +
	       (double)r.ru_stime.tv_sec + (double)r.ru_stime.tv_usec / 1e6;
}

static uint64_t busy_ns;

static void poll_once(int ms)
{
	static struct epoll_event ev[1024];
	int n = epoll_wait(ep, ev, 1024, opt.spin ? 0 : ms);
	if (n < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
	if (!opt.spin) {
		for (int i = 0; i < n; i++) on_event(ev[i].data.ptr, ev[i].events);
	} else if (n > 0) { /* CPU time says nothing then: measure the time spent on events */
		uint64_t t = now_ns();
		for (int i = 0; i < n; i++) on_event(ev[i].data.ptr, ev[i].events);
		if (measuring) busy_ns += now_ns() - t;
	}
}

static void print_lat(const char *name, const struct hist *h)
{
	printf(",\"%s\":{\"mean\":%.1f,\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
	       h->n ? h->sum / (double)h->n / 1e3 : 0.0, hist_pct(h, .50) / 1e3, hist_pct(h, .95) / 1e3,
	       hist_pct(h, .99) / 1e3, (double)h->max / 1e3);
}

static volatile sig_atomic_t interrupted;
static void on_int(int s) { (void)s; interrupted = 1; }

static void parse(int argc, char **argv)
{
	enum { A_HOST = 256, A_PORT, A_PATH, A_ORIGIN, A_HEADER, A_TLS, A_MODE, A_CONNS, A_SIZE, A_DEPTH,
	       A_SECS, A_WARMUP, A_TIMEOUT, A_RAMP, A_SRC, A_CLOSE, A_LINE, A_RAW, A_PAYLOAD, A_ACK,
	       A_SKIPJSON, A_READY, A_NOREADY, A_BINARY, A_UTF8, A_FIRST, A_READYP, A_COUNTP, A_SKIPP,
	       A_PLP, A_PLS, A_SIO, A_DEFLATE, A_VERIFY, A_PID, A_PROGRESS, A_QUICKACK, A_SPIN, A_HELP };
	static const struct option lo[] = {
		{ "host", 1, 0, A_HOST }, { "port", 1, 0, A_PORT }, { "path", 1, 0, A_PATH },
		{ "origin", 1, 0, A_ORIGIN }, { "header", 1, 0, A_HEADER }, { "tls", 0, 0, A_TLS },
		{ "mode", 1, 0, A_MODE }, { "conns", 1, 0, A_CONNS }, { "size", 1, 0, A_SIZE },
		{ "depth", 1, 0, A_DEPTH }, { "secs", 1, 0, A_SECS }, { "warmup", 1, 0, A_WARMUP },
		{ "timeout", 1, 0, A_TIMEOUT }, { "ramp", 1, 0, A_RAMP }, { "src", 1, 0, A_SRC },
		{ "close", 1, 0, A_CLOSE }, { "line", 0, 0, A_LINE }, { "raw-tcp", 0, 0, A_RAW },
		{ "payload", 1, 0, A_PAYLOAD }, { "ack", 0, 0, A_ACK }, { "skip-json", 0, 0, A_SKIPJSON },
		{ "ready", 0, 0, A_READY }, { "no-ready", 0, 0, A_NOREADY }, { "binary", 0, 0, A_BINARY },
		{ "utf8", 0, 0, A_UTF8 }, { "first", 1, 0, A_FIRST }, { "ready-prefix", 1, 0, A_READYP },
		{ "count-prefix", 1, 0, A_COUNTP }, { "skip-prefix", 1, 0, A_SKIPP },
		{ "payload-prefix", 1, 0, A_PLP }, { "payload-suffix", 1, 0, A_PLS }, { "sio", 0, 0, A_SIO },
		{ "deflate", 0, 0, A_DEFLATE },
		{ "verify", 0, 0, A_VERIFY }, { "server-pid", 1, 0, A_PID }, { "progress", 0, 0, A_PROGRESS },
		{ "quickack", 0, 0, A_QUICKACK }, { "spin", 0, 0, A_SPIN },
		{ "help", 0, 0, A_HELP }, { 0, 0, 0, 0 } };
	bool path_given = false;
	int o;
	while ((o = getopt_long(argc, argv, "h", lo, NULL)) != -1) switch (o) {
	case A_HOST: opt.host = optarg; break;
	case A_PORT: opt.port = atoi(optarg); break;
	case A_PATH: opt.path = optarg; path_given = true; break;
	case A_ORIGIN: opt.origin = optarg; break;
	case A_HEADER:
		if (opt.nheaders == MAX_HEADERS) die("too many headers");
		opt.headers[opt.nheaders++] = optarg;
		break;
	case A_TLS: opt.tls = true; break;
	case A_MODE:
		if (!strcmp(optarg, "echo")) opt.mode = M_ECHO;
		else if (!strcmp(optarg, "broadcast")) opt.mode = M_BROADCAST;
		else if (!strcmp(optarg, "handshake")) opt.mode = M_HANDSHAKE;
		else if (!strcmp(optarg, "idle")) opt.mode = M_IDLE;
		else die("unknown mode %s", optarg);
		break;
	case A_CONNS: opt.conns = atoi(optarg); break;
	case A_SIZE: opt.size = strtoull(optarg, NULL, 0); break;
	case A_DEPTH: opt.depth = atoi(optarg); break;
	case A_SECS: opt.secs = atof(optarg); break;
	case A_WARMUP: opt.warmup = atof(optarg); break;
	case A_TIMEOUT: opt.timeout = atof(optarg); break;
	case A_RAMP: opt.ramp = atoi(optarg); break;
	case A_SRC: opt.nsrc = atoi(optarg); break;
	case A_CLOSE:
		if (!strcmp(optarg, "fin")) opt.closing = CL_FIN;
		else if (!strcmp(optarg, "rst")) opt.closing = CL_RST;
		else if (!strcmp(optarg, "ws")) opt.closing = CL_WS;
		else die("unknown way to close %s", optarg);
		break;
	case A_LINE: opt.wire = W_LINE; break;
	case A_RAW: opt.wire = W_RAW; break;
	case A_PAYLOAD:
		if (!strcmp(optarg, "json")) opt.payload = P_JSON;
		else if (!strcmp(optarg, "raw")) opt.payload = P_RAW;
		else if (!strcmp(optarg, "records")) opt.payload = P_RECORDS;
		else die("unknown payload %s", optarg);
		break;
	case A_ACK: opt.ack = true; break;
	case A_SKIPJSON: opt.skip_json = true; break;
	case A_READY: opt.ready = 1; break;
	case A_NOREADY: opt.ready = 0; break;
	case A_BINARY: opt.binary = true; break;
	case A_UTF8: opt.utf8 = true; break;
	case A_FIRST: opt.first = optarg; break;
	case A_READYP: opt.ready_pfx = optarg; break;
	case A_COUNTP: opt.count_pfx = optarg; break;
	case A_SKIPP:
		if (opt.nskip == MAX_SKIP) die("too many --skip-prefix");
		opt.skip[opt.nskip++] = optarg;
		break;
	case A_PLP: opt.pl_prefix = optarg; break;
	case A_PLS: opt.pl_suffix = optarg; break;
	case A_SIO:
		if (!path_given) opt.path = "/socket.io/?EIO=4&transport=websocket";
		opt.first = "40";
		opt.ready_pfx = "40";
		opt.count_pfx = "42[\"m\"";
		opt.pl_prefix = "42[\"m\",\"";
		opt.pl_suffix = "\"]";
		break;
	case A_DEFLATE: opt.deflate = true; break;
	case A_VERIFY: opt.verify = true; break;
	case A_PID: opt.server_pid = (pid_t)atoi(optarg); break;
	case A_PROGRESS: opt.progress = true; break;
	case A_QUICKACK: opt.quickack = true; break;
	case A_SPIN: opt.spin = true; break;
	case A_HELP: case 'h': usage(stdout); exit(0);
	default: usage(stderr); exit(2);
	}
	if (optind < argc) die("unexpected argument %s", argv[optind]);
	if (opt.conns < 1 || opt.depth < 1 || opt.size < 1 || opt.ramp < 1 || opt.secs <= 0)
		die("--conns, --depth, --size, --ramp and --secs must be positive");
	if (opt.mode == M_BROADCAST && opt.depth > BRING / 2) die("--depth is at most %d here", BRING / 2);
	if (opt.payload == P_RECORDS && (opt.size < MIN_RECORDS || opt.utf8))
		die("--payload records needs --size %d or more, and is ASCII", MIN_RECORDS);
	if (opt.payload == P_JSON || (opt.wire == W_LINE && opt.payload == P_RAW && !opt.pl_prefix)) {
		opt.pl_prefix = opt.mode == M_BROADCAST ? "{\"opcode\":\"broadcast\",\"message\":\""
							: "{\"opcode\":\"echo\",\"message\":\"";
		opt.pl_suffix = "\"}";
		opt.count_pfx = opt.mode == M_BROADCAST ? "{\"opcode\":\"broadcast\"" : "{\"opcode\":\"echo\"";
	}
	if (opt.ack) opt.ack_pfx = "{\"opcode\":\"next\"";
	if (opt.mode == M_HANDSHAKE && opt.wire == W_LINE && opt.ready == -1) opt.ready = 1;
	if (opt.ready == 1 || (opt.ready == -1 && opt.ack && !opt.ready_pfx))
		opt.ready_pfx = "{\"opcode\":\"ready\"";
	if (opt.skip_json) {
		if (opt.nskip + 2 > MAX_SKIP) die("too many --skip-prefix");
		opt.skip[opt.nskip++] = "{\"opcode\":\"ready\"";
		if (!opt.ack) opt.skip[opt.nskip++] = "{\"opcode\":\"next\"";
	}
	if (opt.mode == M_HANDSHAKE && opt.wire == W_RAW) die("handshake mode needs a handshake");
	if (opt.deflate && opt.wire != W_WS) die("--deflate is an extension of WebSocket");
	must_inflate = opt.verify || opt.ready_pfx || opt.ack_pfx || opt.count_pfx || opt.nskip;
#ifndef WITH_TLS
	if (opt.tls) die("built without TLS (-DWITH_TLS -lssl -lcrypto)");
#endif
#ifndef WITH_DEFLATE
	if (opt.deflate) die("built without compression (-DWITH_DEFLATE -lz)");
#endif
	nconn = opt.conns + (opt.mode == M_BROADCAST);
	nsubs = opt.conns;
	if (!opt.nsrc) {
		if (opt.mode == M_HANDSHAKE) opt.nsrc = 200;
		else if (nconn > 20000) opt.nsrc = (nconn + 19999) / 20000;
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, on_int);
	signal(SIGTERM, on_int);
	if (getrandom(&rng_state, sizeof rng_state, 0) != sizeof rng_state) rng_state = now_ns();

	struct rlimit rl;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < (rlim_t)nconn + 64) {
		rl.rlim_cur = (rlim_t)nconn + 64;
		if (rl.rlim_max < rl.rlim_cur) rl.rlim_max = rl.rlim_cur;
		if (setrlimit(RLIMIT_NOFILE, &rl) < 0) die("cannot raise the limit of open files to %d", nconn + 64);
	}

	char port[16];
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *ai;
	snprintf(port, sizeof port, "%d", opt.port);
	int g = getaddrinfo(opt.host, port, &hints, &ai);
	if (g) die("%s: %s", opt.host, gai_strerror(g));
	memcpy(&peer, ai->ai_addr, sizeof peer);
	freeaddrinfo(ai);
	if ((ntohl(peer.sin_addr.s_addr) >> 24) != 127) opt.nsrc = 0;

#ifdef WITH_TLS
	if (opt.tls) {
		ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	}
#endif
	make_hello();
	make_units();
	ep = epoll_create1(EPOLL_CLOEXEC);
	rbuf = xalloc(RBUF);
	lat = xalloc(sizeof *lat);
	lat2 = xalloc(sizeof *lat2);
	conns = xalloc((size_t)nconn * sizeof *conns);
	size_t slots = 1;
	while (slots < (size_t)opt.depth) slots *= 2;
	ts_mask = slots - 1;
	uint64_t *ts = xalloc(slots * sizeof *ts * (size_t)nconn);
	for (int i = 0; i < nconn; i++) {
		conns[i].fd = -1;
		conns[i].ts = ts + (size_t)i * slots;
	}
	if (opt.mode == M_BROADCAST) conns[0].is_pub = 1;

	long rss0 = server_rss();
	uint64_t t_start = now_ns(), t = t_start, t_conn;
	double connect_rate = 0;
	double cpu0, scpu0, cpu1, scpu1;
	uint64_t t0, t1;

	if (opt.mode == M_HANDSHAKE) {
		bool failed = false;
		uint64_t warm_end = t_start + (uint64_t)(opt.warmup * 1e9);
		uint64_t end = warm_end + (uint64_t)(opt.secs * 1e9);
		t0 = t_start; cpu0 = own_cpu(); scpu0 = server_cpu();
		last_progress = t;
		while (t < end && !interrupted) {
			if (!measuring && t >= warm_end) {
				measuring = true;
				t0 = t; cpu0 = own_cpu(); scpu0 = server_cpu();
			}
			for (int i = 0; i < nconn; i++) if (conns[i].state == S_FREE) conn_start(&conns[i]);
			poll_once(100);
			t = now_ns();
			if (t - last_progress > 3000000000u || st.errors > 100000) { failed = true; break; }
		}
		t1 = t;
		cpu1 = own_cpu(); scpu1 = server_cpu();
		if (failed) note("stalled: no handshake for 3 s");
		if (failed) st.errors++;
		goto report;
	}

	/* open all connections, then start */
	while (nready < nconn && !interrupted) {
		while (nconnecting < opt.ramp && next_conn < nconn) conn_start(&conns[next_conn++]);
		poll_once(50);
		t = now_ns();
		if (st.errors) break;
		if (t - t_start > (uint64_t)(opt.timeout * 1e9)) {
			st.errors++;
			note("only %d of %d connections are up after %.0f s", nready, nconn, opt.timeout);
			break;
		}
	}
	t_conn = t;
	connect_rate = nready / ((double)(t_conn - t_start) / 1e9);
	t0 = t1 = t;
	cpu0 = cpu1 = own_cpu();
	scpu0 = scpu1 = server_cpu();
	if (st.errors || interrupted) goto report;

	if (opt.mode == M_IDLE) {
		t0 = now_ns();
		uint64_t end = t0 + (uint64_t)(opt.secs * 1e9);
		fprintf(stderr, "wsload: %d connections are up, server RSS %ld KiB\n", nopen, server_rss());
		while ((t = now_ns()) < end && !interrupted && nopen) poll_once(100);
		t1 = t;
		cpu1 = own_cpu(); scpu1 = server_cpu();
		goto report;
	}

	uint64_t warm_end = t_conn + (uint64_t)(opt.warmup * 1e9);
	uint64_t end = warm_end + (uint64_t)(opt.secs * 1e9), tick = t_conn + 1000000000u;
	if (opt.mode == M_BROADCAST) {
		for (int i = 0; i < opt.depth; i++) bc[i].ts = t;
		due(&conns[0], (uint32_t)opt.depth, t);
		flush(&conns[0]);
	} else {
		for (int i = 0; i < nconn; i++) {
			t = now_ns();
			due(&conns[i], (uint32_t)opt.depth, t);
			flush(&conns[i]);
		}
	}
	if (opt.warmup <= 0) measuring = true;
	uint64_t seen = 0, mark = st.msgs;
	last_progress = t;
	while ((t = now_ns()) < end && !interrupted && nopen) {
		if (!measuring && t >= warm_end) {
			measuring = true;
			t0 = t; cpu0 = own_cpu(); scpu0 = server_cpu();
			for (int i = 0; i < nconn; i++) conns[i].measured = 0;
		}
		if (opt.progress && t >= tick) {
			fprintf(stderr, "wsload: %" PRIu64 "\n", st.msgs - mark);
			mark = st.msgs;
			tick += 1000000000u;
		}
		uint64_t sum = st.msgs + st.deliveries;
		if (sum != seen || !measuring) { seen = sum; last_progress = t; }
		else if (t - last_progress > 5000000000u) {
			st.errors++;
			note("stalled: no reply for 5 s");
			break;
		}
		poll_once(100);
	}
	measuring = false;
	t1 = t;
	cpu1 = own_cpu(); scpu1 = server_cpu();

report:
	stopping = true;
	double secs = (double)(t1 - t0) / 1e9;
	if (secs <= 0) secs = 1e-9;
	static const char *const modes[] = { "echo", "broadcast", "handshake", "idle" };
	static const char *const wires[] = { "ws", "line", "raw" };
	printf("{\"mode\":\"%s\",\"wire\":\"%s%s\",\"conns\":%d,\"size\":%zu,\"depth\":%d,\"secs\":%.3f",
	       modes[opt.mode], wires[opt.wire], opt.deflate ? opt.tls ? "+tls+deflate" : "+deflate" : opt.tls ? "+tls" : "", opt.conns, tx.plen, opt.depth, secs);
	if (opt.deflate) printf(",\"ratio\":%.2f", (double)tx.at[tx.nunit] / (double)(tx.nunit * tx.plen));
	if (opt.mode == M_HANDSHAKE) {
		printf(",\"handshakes\":%" PRIu64 ",\"handshakes_per_s\":%.0f", st.handshakes,
		       (double)st.handshakes / secs);
		print_lat("lat_us", lat);
	} else if (opt.mode == M_IDLE) {
		long rss1 = server_rss();
		printf(",\"open\":%d,\"server_rss0_kb\":%ld,\"server_rss1_kb\":%ld,\"rss_per_conn\":%.0f", nopen,
		       rss0, rss1, nopen ? (double)(rss1 - rss0) * 1024 / nopen : 0.0);
	} else {
		printf(",\"msgs\":%" PRIu64 ",\"msgs_per_s\":%.0f", st.msgs, (double)st.msgs / secs);
		if (opt.mode == M_BROADCAST)
			printf(",\"deliveries\":%" PRIu64 ",\"deliveries_per_s\":%.0f,\"publisher_got\":%" PRIu64,
			       st.deliveries, (double)st.deliveries / secs, st.pub_rx);
		printf(",\"mb_per_s\":%.2f", (double)st.bytes / secs / 1e6);
		print_lat("lat_us", lat); /* broadcast: publish to last subscriber */
		if (opt.mode == M_BROADCAST) print_lat("delivery_us", lat2);
		if (opt.ack) printf(",\"acks\":%" PRIu64, st.acks);
		if (opt.mode == M_ECHO) {
			uint64_t lo = UINT64_MAX, hi = 0;
			for (int i = 0; i < nconn; i++) {
				if (conns[i].measured < lo) lo = conns[i].measured;
				if (conns[i].measured > hi) hi = conns[i].measured;
			}
			printf(",\"conn_min\":%" PRIu64 ",\"conn_max\":%" PRIu64, lo, hi);
		}
		printf(",\"skipped\":%" PRIu64, st.skipped);
		if (opt.verify) printf(",\"verify_errors\":%" PRIu64, st.verify_errors);
	}
	if (opt.mode != M_HANDSHAKE) printf(",\"connect_per_s\":%.0f", connect_rate);
	printf(",\"client_cpu\":%.2f", (cpu1 - cpu0) / secs);
	if (opt.spin) printf(",\"client_busy\":%.2f", (double)busy_ns / 1e9 / secs);
	if (opt.server_pid) {
		printf(",\"server_cpu\":%.2f", (scpu1 - scpu0) / secs);
		if (opt.mode != M_IDLE) printf(",\"server_rss_kb\":%ld", server_rss());
	}
	printf(",\"errors\":%" PRIu64, st.errors);
	if (first_error[0]) printf(",\"first_error\":\"%s\"", first_error);
	printf("}\n");
	return st.errors || st.verify_errors ? 1 : 0;
}
