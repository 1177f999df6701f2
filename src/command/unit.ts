/** The unit file of an installation, from the one that is shipped. */
import { pathToFileURL } from 'node:url';

interface Places {
  /** The Node that runs it. */
  readonly node: string;
  /** dist/run.js. */
  readonly run: string;
  readonly ini: string;
  /** The folder of websock itself. */
  readonly package: string;
}

const COMMAND = '/usr/bin/node /opt/websock/dist/run.js --config /etc/websock/websock.ini';
const LOGFILE = '/var/log/websock/websock.log';
/** What ProtectHome=yes hides. */
const HOMES = /^\/(?:home|root|run\/user)\//;

/** @param shipped systemd/websock.service. */
export function unitText(shipped: string, places: Places): string {
  const { node, run, ini } = places;
  const command = [node, run, '--config', ini, '--logfile', LOGFILE].map(unitWord).join(' ');
  const readme = pathToFileURL(`${places.package}/systemd/README.md`).href.replaceAll('%', '%%');
  const text = shipped
    .replace(/^# .*\n/, `${introduction(places)}\n`)
    .replaceAll(COMMAND, () => command)
    .replace('file:///opt/websock/systemd/README.md', () => readme);
  if (![node, run, ini].some((path) => HOMES.test(path))) return text;
  return text.replace(
    'ProtectHome=yes',
    '# Some of it is in a home folder; the user websock must be allowed to read it.\nProtectHome=read-only',
  );
}

function introduction({ ini, package: folder }: Places): string {
  return [
    '# websock, a socket daemon. As root, in the folder of this file:',
    '#   adduser --system --group --no-create-home --home /nonexistent websock',
    '#   install -m 644 websock.service /etc/systemd/system/',
    '#   systemctl daemon-reload && systemctl enable --now websock',
    `# It reads ${oneLine(ini)}; the user websock must be able to. More: ${oneLine(folder)}/systemd/README.md.`,
  ].join('\n');
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, ' ');
}

/** A word of ExecStart= (systemd.service(5), "Command lines"). */
function unitWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  if (/^[\w./:@%$+=,-]+$/.test(plain)) return plain;
  return `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
