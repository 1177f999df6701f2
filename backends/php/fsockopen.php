<?php
/*
 * Tells pages and jobs how far a script is, over one socket, with nothing but PHP: a line goes, lines come back.
 *
 *   php fsockopen.php feedback UUID TEXT    tells the page that has this uuid
 *   php fsockopen.php broadcast TEXT        tells every page
 *   php fsockopen.php progress UUID         tells the page 0 to 100 %
 *   php fsockopen.php open TITLE            opens a job and prints its id
 *   php fsockopen.php job ID FILE...        does the work of the job: adds up the sizes of files
 *
 * WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set (https: PHP needs openssl); WEBSOCK_KEY the
 * backend's key, or a ticket. It ends with 0, or says why not and ends with 1.
 */

/**
 * Opens a socket to a resource. It lasts as long as the script.
 *
 * @return resource
 * @throws RuntimeException nobody is there, or we may not come in: the message says why
 */
function connect(string $path)
{
    $url = parse_url(getenv('WEBSOCK_URL') ?: 'http://localhost:8096');
    $secure = $url['scheme'] === 'https';
    $port = $url['port'] ?? ($secure ? 443 : 80);
    $socket = @fsockopen(($secure ? 'ssl://' : '') . $url['host'], $port, $errno, $error, 5);
    if ($socket === false) {
        throw new RuntimeException("{$url['host']}:$port: $error");
    }
    stream_set_timeout($socket, 30);
    $key = getenv('WEBSOCK_KEY');
    fwrite($socket, "GET $path" . ($key ? " Bearer $key" : '') . "\n");
    readPacket($socket); // ready
    return $socket;
}

/** The next line. @throws RuntimeException there is none, or it tells why we are shut out. */
function readPacket($socket): array
{
    $line = fgets($socket);
    if ($line === false) {
        throw new RuntimeException('the daemon does not answer');
    }
    $packet = json_decode($line, true);
    if (!is_array($packet) || $packet['opcode'] === 'close') {
        throw new RuntimeException($packet['error'] ?? trim($line));
    }
    return $packet;
}

/**
 * Sends one packet and waits until it was handled.
 *
 * @return array its `next`, with `packets`: what came before that
 * @throws RuntimeException it was refused, or the connection is lost: the message says why
 */
function say($socket, array $packet): array
{
    fwrite($socket, json_encode($packet, JSON_THROW_ON_ERROR) . "\n");
    $packets = [];
    while (($next = readPacket($socket))['opcode'] !== 'next') {
        $packets[] = $next;
    }
    if (isset($next['error'])) {
        throw new RuntimeException($next['error']);
    }
    return $next + ['packets' => $packets];
}

/** The work of a job, which says how far it is. */
function addUp($socket, string $job, array $files): void
{
    $sum = 0;
    foreach ($files as $i => $file) {
        if (!is_readable($file)) {
            throw new RuntimeException("$file cannot be read");
        }
        $size = filesize($file);
        $sum += $size;
        say($socket, ['opcode' => 'log', 'job' => $job, 'text' => "$file: $size bytes"]);
        $percent = ($i + 1) / count($files) * 100;
        say($socket, ['opcode' => 'progress', 'job' => $job, 'percent' => $percent, 'text' => "$sum bytes"]);
    }
    say($socket, ['opcode' => 'done', 'job' => $job, 'text' => "$sum bytes in all"]);
}

[, $what, $whom, $text] = $argv + ['', '', '', ''];
try {
    switch ($what) {
        case 'feedback':
            $next = say(connect('/php'), ['opcode' => 'feedback', 'uuid' => $whom, 'message' => $text]);
            echo "delivered: {$next['delivered']}\n";
            break;
        case 'broadcast':
            $next = say(connect('/php'), ['opcode' => 'broadcast', 'message' => $whom]);
            echo "delivered: {$next['delivered']}\n";
            break;
        case 'progress':
            $socket = connect('/php');
            for ($percent = 0; $percent <= 100; $percent += 25) {
                // Here is your work.
                say($socket, ['opcode' => 'feedback', 'uuid' => $whom, 'percent' => $percent, 'message' => "$percent %"]);
            }
            break;
        case 'open':
            $next = say(connect('/jobs'), ['opcode' => 'open', 'title' => $whom]);
            echo $next['job'], "\n";
            break;
        case 'job':
            $socket = connect('/jobs');
            try {
                addUp($socket, $whom, array_slice($argv, 3));
            } catch (RuntimeException $error) {
                say($socket, ['opcode' => 'failed', 'job' => $whom, 'text' => $error->getMessage()]);
                throw $error;
            }
            break;
        default:
            throw new RuntimeException('feedback, broadcast, progress, open or job?');
    }
} catch (RuntimeException | JsonException $error) {
    fwrite(STDERR, "fsockopen.php: {$error->getMessage()}\n");
    exit(1);
}
