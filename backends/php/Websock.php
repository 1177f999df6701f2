<?php
/**
 * Tells pages and jobs how far a script is. Needs no extension; for https openssl.
 *
 *     $websock = Websock::open();
 *     $websock->progress($uuid, 50, 'half of it');
 *
 * Each report is a POST over one connection that is kept. If that has ended meanwhile (the daemon closes one that is
 * idle, [http] keepAliveTimeout), or is lost before the answer, the report is sent once more over a new one, with the
 * same Idempotency-Key: a daemon that has handled it already does not do so again.
 */
final class Websock
{
    private const CONNECT_TIMEOUT = 5; // seconds
    private const ANSWER_TIMEOUT = 60; // seconds: the daemon gives a handler as many

    private string $target;
    private string $host;
    private string $key;
    /** @var resource|null */
    private $socket = null;

    /**
     * Connects to the daemon.
     *
     * @param string $url where it listens, `http://` or `https://`, without a path
     * @param string $key the backend's key or a ticket, from a host that is not trusted
     * @throws WebsockException nobody is there
     */
    public static function open(string $url = 'http://localhost:8096', string $key = ''): self
    {
        $websock = new self($url, $key);
        $websock->connect();
        return $websock;
    }

    private function __construct(string $url, string $key)
    {
        if (!preg_match('~^(https?)://(\[[0-9a-f:.]+\]|[^/:\s]+)(?::(\d+))?/?$~i', $url, $match)) {
            throw new WebsockException("not http://HOST:PORT or https://HOST:PORT: $url");
        }
        if (preg_match('/[^\x21-\x7e]/', $key)) {
            throw new WebsockException('a key has neither blanks nor line ends');
        }
        $secure = strtolower($match[1]) === 'https';
        $port = $match[3] ?? ($secure ? '443' : '80');
        $this->target = ($secure ? 'ssl' : 'tcp') . "://$match[2]:$port";
        $this->host = "$match[2]:$port";
        $this->key = $key;
    }

    /**
     * Tells the page that has this uuid.
     *
     * @param array $fields what the page gets, beside `opcode` and `uuid`
     * @return int 1, or 0 if nobody has that uuid (any more)
     * @throws WebsockException
     */
    public function feedback(string $uuid, array $fields): int
    {
        return $this->send('/php', ['opcode' => 'feedback', 'uuid' => $uuid] + $fields)['delivered'];
    }

    /**
     * Tells every page.
     *
     * @return int how many pages
     * @throws WebsockException
     */
    public function broadcast(array $fields): int
    {
        return $this->send('/php', ['opcode' => 'broadcast'] + $fields)['delivered'];
    }

    /**
     * Tells the page that has this uuid how far the script is: it gets `percent` and `message`.
     *
     * @param float $percent 0 to 100
     * @return int as feedback()
     * @throws WebsockException
     */
    public function progress(string $uuid, float $percent, string $message = ''): int
    {
        return $this->feedback($uuid, ['percent' => $percent, 'message' => $message]);
    }

    /**
     * Opens a job.
     *
     * @return string its id
     * @throws WebsockException
     */
    public function openJob(string $title): string
    {
        return $this->send('/jobs', ['opcode' => 'open', 'title' => $title])['job'];
    }

    /**
     * Reports to a job.
     *
     * @param string $opcode `progress` with `percent` and `text`; `log`, `done` or `failed` with `text`
     * @return int how many watch it
     * @throws WebsockException
     */
    public function report(string $job, string $opcode, array $fields): int
    {
        return $this->send('/jobs', ['opcode' => $opcode, 'job' => $job] + $fields)['delivered'];
    }

    /**
     * Sends a packet to any resource and waits until it was handled.
     *
     * @return array its `next`, with `packets`: what the resource has answered
     * @throws WebsockException it was refused, or has not arrived
     */
    public function send(string $path, array $packet): array
    {
        $body = json_encode($packet);
        if ($body === false) {
            throw new WebsockException('a packet that JSON cannot hold: ' . json_last_error_msg());
        }
        [$status, $text] = $this->exchange($this->request($path, $body));
        $answer = json_decode($text, true);
        if (!is_array($answer) || isset($answer['error'])) {
            throw new WebsockException($answer['error'] ?? trim($text), $status);
        }
        return $answer;
    }

    public function close(): void
    {
        if ($this->socket !== null) {
            fclose($this->socket);
        }
        $this->socket = null;
    }

    /** @throws WebsockException */
    private function connect(): void
    {
        // Of a certificate that is not trusted only the first of several warnings tells.
        $warnings = [];
        set_error_handler(function (int $level, string $text) use (&$warnings): bool {
            $warnings[] = preg_replace(['/^\w+\(\): /', '/\s+/'], ['', ' '], $text);
            return true;
        });
        try {
            $socket = stream_socket_client($this->target, $errno, $error, self::CONNECT_TIMEOUT);
        } finally {
            restore_error_handler();
        }
        if ($socket === false) {
            throw new WebsockException("cannot connect to $this->host: " . ($error !== '' ? $error : $warnings[0]));
        }
        stream_set_timeout($socket, self::ANSWER_TIMEOUT);
        $this->socket = $socket;
    }

    private function request(string $path, string $body): string
    {
        return "POST $path HTTP/1.1\r\nHost: $this->host\r\nContent-Type: application/json\r\n"
            . ($this->key === '' ? '' : "Authorization: Bearer $this->key\r\n")
            . 'Idempotency-Key: "' . bin2hex(random_bytes(16)) . "\"\r\n"
            . 'Content-Length: ' . strlen($body) . "\r\n\r\n$body";
    }

    /** @return array{int, string} status and body. @throws WebsockException */
    private function exchange(string $request): array
    {
        if ($this->socket !== null) {
            $answer = $this->attempt($request);
            if ($answer !== null) {
                return $answer;
            }
        }
        $this->connect();
        $answer = $this->attempt($request);
        if ($answer === null) {
            throw new WebsockException("$this->host does not answer");
        }
        return $answer;
    }

    /** Sends over the connection that there is. @return array{int, string}|null null: it was lost. */
    private function attempt(string $request): ?array
    {
        $head = [];
        if (@fwrite($this->socket, $request) === strlen($request)) {
            while (($line = @fgets($this->socket)) !== false && rtrim($line) !== '') {
                $head[] = rtrim($line);
            }
        }
        $length = preg_grep('/^Content-Length:/i', $head);
        if ($length === []) {
            $this->close();
            return null;
        }
        $length = (int) trim(substr(reset($length), strlen('Content-Length:')));
        $body = $length === 0 ? '' : stream_get_contents($this->socket, $length);
        if ($body === false || strlen($body) < $length) {
            $this->close();
            return null;
        }
        if (preg_grep('/^Connection:\s*close/i', $head)) {
            $this->close();
        }
        return [(int) explode(' ', $head[0])[1], $body];
    }
}

/** A report was not handled: the message says why, the code is the status of HTTP, or 0 if there was no answer. */
final class WebsockException extends RuntimeException
{
}
