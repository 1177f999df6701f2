<?php
/*
 * Tells pages and jobs how far a script is, with PHP's curl extension (apt-get install php-curl).
 *
 *   php curl.php feedback UUID TEXT    tells the page that has this uuid
 *   php curl.php broadcast TEXT        tells every page
 *   php curl.php progress UUID         tells the page 0 to 100 %
 *   php curl.php open TITLE            opens a job and prints its id
 *   php curl.php job ID FILE...        does the work of the job: adds up the sizes of files
 *
 * WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set; WEBSOCK_KEY the backend's key, or a ticket.
 * It ends with 0, or says why not and ends with 1.
 */

/**
 * Sends one packet to a resource. The connection is kept for the next one.
 *
 * @return array its `next`, with `packets`: what the resource has answered
 * @throws RuntimeException it has not arrived, or was refused: the message says why
 */
function post(string $path, array $packet): array
{
    static $curl = null;
    $curl ??= curl_init();
    $headers = ['Content-Type: application/json'];
    if (getenv('WEBSOCK_KEY')) {
        $headers[] = 'Authorization: Bearer ' . getenv('WEBSOCK_KEY');
    }
    curl_setopt_array($curl, [
        CURLOPT_URL => (getenv('WEBSOCK_URL') ?: 'http://localhost:8096') . $path,
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_POSTFIELDS => json_encode($packet, JSON_THROW_ON_ERROR),
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_CONNECTTIMEOUT => 5,
        CURLOPT_TIMEOUT => 30,
    ]);
    $body = curl_exec($curl);
    if ($body === false) {
        throw new RuntimeException(curl_error($curl));
    }
    $answer = json_decode($body, true);
    if (!is_array($answer) || isset($answer['error'])) {
        throw new RuntimeException($answer['error'] ?? trim($body));
    }
    return $answer;
}

/** The work of a job, which says how far it is. */
function addUp(string $job, array $files): void
{
    $sum = 0;
    foreach ($files as $i => $file) {
        if (!is_readable($file)) {
            throw new RuntimeException("$file cannot be read");
        }
        $size = filesize($file);
        $sum += $size;
        post('/jobs', ['opcode' => 'log', 'job' => $job, 'text' => "$file: $size bytes"]);
        $percent = ($i + 1) / count($files) * 100;
        post('/jobs', ['opcode' => 'progress', 'job' => $job, 'percent' => $percent, 'text' => "$sum bytes"]);
    }
    post('/jobs', ['opcode' => 'done', 'job' => $job, 'text' => "$sum bytes in all"]);
}

[, $what, $whom, $text] = $argv + ['', '', '', ''];
try {
    switch ($what) {
        case 'feedback':
            $next = post('/php', ['opcode' => 'feedback', 'uuid' => $whom, 'message' => $text]);
            echo "delivered: {$next['delivered']}\n";
            break;
        case 'broadcast':
            $next = post('/php', ['opcode' => 'broadcast', 'message' => $whom]);
            echo "delivered: {$next['delivered']}\n";
            break;
        case 'progress':
            for ($percent = 0; $percent <= 100; $percent += 25) {
                // Here is your work.
                post('/php', ['opcode' => 'feedback', 'uuid' => $whom, 'percent' => $percent, 'message' => "$percent %"]);
            }
            break;
        case 'open':
            $next = post('/jobs', ['opcode' => 'open', 'title' => $whom]);
            echo $next['job'], "\n";
            break;
        case 'job':
            try {
                addUp($whom, array_slice($argv, 3));
            } catch (RuntimeException $error) {
                post('/jobs', ['opcode' => 'failed', 'job' => $whom, 'text' => $error->getMessage()]);
                throw $error;
            }
            break;
        default:
            throw new RuntimeException('feedback, broadcast, progress, open or job?');
    }
} catch (RuntimeException | JsonException $error) {
    fwrite(STDERR, "curl.php: {$error->getMessage()}\n");
    exit(1);
}
