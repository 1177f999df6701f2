#!/usr/bin/env python3
"""Tells pages and jobs how far a script is, with Python's standard library alone.

  python3 report.py feedback UUID TEXT    tells the page that has this uuid
  python3 report.py broadcast TEXT        tells every page
  python3 report.py progress UUID         tells the page 0 to 100 %
  python3 report.py open TITLE            opens a job and prints its id
  python3 report.py job ID FILE...        does the work of the job: adds up the sizes of files

WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set; WEBSOCK_KEY the backend's key, or a ticket.
It ends with 0, or says why not and ends with 1.
"""

import json
import os
import sys
import urllib.error
import urllib.request


class ReportError(Exception):
    """A packet has not arrived, or was refused; the text says why."""


def post(path, **packet):
    """Sends one packet to a resource.

    Returns its `next`, a dict, with `packets`: what the resource has answered.
    Raises ReportError.
    """
    headers = {'Content-Type': 'application/json'}
    if os.environ.get('WEBSOCK_KEY'):
        headers['Authorization'] = 'Bearer ' + os.environ['WEBSOCK_KEY']
    url = (os.environ.get('WEBSOCK_URL') or 'http://localhost:8096') + path
    request = urllib.request.Request(url, json.dumps(packet).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read().decode()
    except urllib.error.HTTPError as error:  # any status but 200; what it says is JSON, too
        text = error.read().decode()
    except OSError as error:
        raise ReportError(f'{url}: {getattr(error, "reason", error)}') from error
    try:
        answer = json.loads(text)
    except ValueError:
        raise ReportError(text.strip()) from None
    if 'error' in answer:
        raise ReportError(answer['error'])
    return answer


def add_up(job, files):
    """The work of a job, which says how far it is."""
    total = 0
    for i, file in enumerate(files, 1):
        size = os.path.getsize(file)
        total += size
        post('/jobs', opcode='log', job=job, text=f'{file}: {size} bytes')
        post('/jobs', opcode='progress', job=job, percent=i / len(files) * 100, text=f'{total} bytes')
    post('/jobs', opcode='done', job=job, text=f'{total} bytes in all')


def main(what='', whom='', *rest):
    if what == 'feedback':
        answer = post('/php', opcode='feedback', uuid=whom, message=' '.join(rest))
        print('delivered:', answer['delivered'])
    elif what == 'broadcast':
        answer = post('/php', opcode='broadcast', message=whom)
        print('delivered:', answer['delivered'])
    elif what == 'progress':
        for percent in range(0, 101, 25):
            # Here is your work.
            post('/php', opcode='feedback', uuid=whom, percent=percent, message=f'{percent} %')
    elif what == 'open':
        print(post('/jobs', opcode='open', title=whom)['job'])
    elif what == 'job':
        try:
            add_up(whom, rest)
        except Exception as error:
            post('/jobs', opcode='failed', job=whom, text=str(error))
            raise
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    try:
        main(*sys.argv[1:])
    except (ReportError, OSError) as error:
        sys.exit(f'report.py: {error}')
