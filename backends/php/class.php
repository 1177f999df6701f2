<?php
/*
 * Tells pages and jobs how far a script is, with the class in Websock.php.
 *
 *   php class.php feedback UUID TEXT    tells the page that has this uuid
 *   php class.php broadcast TEXT        tells every page
 *   php class.php progress UUID         tells the page 0 to 100 %
 *   php class.php open TITLE            opens a job and prints its id
 *   php class.php job ID FILE...        does the work of the job: adds up the sizes of files
 *
 * WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set; WEBSOCK_KEY the backend's key, or a ticket.
 * It ends with 0, or says why not and ends with 1.
 */
require __DIR__ . '/Websock.php';

/** The work of a job, which says how far it is. */
function addUp(Websock $websock, string $job, array $files): void
{
    $sum = 0;
    foreach ($files as $i => $file) {
        if (!is_readable($file)) {
            throw new RuntimeException("$file cannot be read");
        }
        $size = filesize($file);
        $sum += $size;
        $websock->report($job, 'log', ['text' => "$file: $size bytes"]);
        $websock->report($job, 'progress', ['percent' => ($i + 1) / count($files) * 100, 'text' => "$sum bytes"]);
    }
    $websock->report($job, 'done', ['text' => "$sum bytes in all"]);
}

[, $what, $whom, $text] = $argv + ['', '', '', ''];
try {
    $websock = Websock::open(getenv('WEBSOCK_URL') ?: 'http://localhost:8096', getenv('WEBSOCK_KEY') ?: '');
    switch ($what) {
        case 'feedback':
            echo 'delivered: ' . $websock->feedback($whom, ['message' => $text]) . "\n";
            break;
        case 'broadcast':
            echo 'delivered: ' . $websock->broadcast(['message' => $whom]) . "\n";
            break;
        case 'progress':
            for ($percent = 0; $percent <= 100; $percent += 25) {
                // Here is your work.
                $websock->progress($whom, $percent, "$percent %");
            }
            break;
        case 'open':
            echo $websock->openJob($whom), "\n";
            break;
        case 'job':
            try {
                addUp($websock, $whom, array_slice($argv, 3));
            } catch (RuntimeException $error) {
                $websock->report($whom, 'failed', ['text' => $error->getMessage()]);
                throw $error;
            }
            break;
        default:
            throw new RuntimeException('feedback, broadcast, progress, open or job?');
    }
} catch (RuntimeException $error) {
    fwrite(STDERR, "class.php: {$error->getMessage()}\n");
    exit(1);
}
