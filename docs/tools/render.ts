import {
  type Comment,
  type CommentDisplayPart,
  type DeclarationReflection,
  ReflectionKind,
  type SignatureReflection,
  type SomeType,
} from 'typedoc';
import { isStandard } from './undocumented.ts';

type Anchors = ReadonlyMap<string, string>;

const KINDS = [
  { kind: ReflectionKind.Function, word: 'function' },
  { kind: ReflectionKind.Class, word: 'class' },
  { kind: ReflectionKind.Interface, word: 'interface' },
  { kind: ReflectionKind.TypeAlias, word: 'type' },
];

/** The reference as Markdown, a heading for each module and each of its names. */
export function render(modules: readonly DeclarationReflection[], preface: string): string {
  const sections = modules.map((module) => ({ module, names: inOrder(module.children ?? []) }));
  const anchors = anchorsOf(sections);
  const parts = [preface];
  for (const { module, names } of sections) {
    const index = names.map((each) => `[${each.name}](#${anchors.get(idOf(each))})`).join(' · ');
    parts.push(`## ${module.name}`, prose(module.comment, anchors), index);
    for (const each of names) parts.push(...declaration(each, anchors));
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** Functions and classes first, each kind by the alphabet. */
function inOrder(names: readonly DeclarationReflection[]): DeclarationReflection[] {
  const rank = (each: DeclarationReflection): number => KINDS.findIndex(({ kind }) => each.kindOf(kind));
  return names.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, 'en'));
}

/** Which anchors GitHub gives the headings: lower case, and a number where two are alike. */
function anchorsOf(
  sections: readonly { module: DeclarationReflection; names: readonly DeclarationReflection[] }[],
): Anchors {
  const used = new Map<string, number>();
  const anchors = new Map<string, string>();
  const add = (id: string, heading: string): void => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-');
    const count = used.get(slug) ?? 0;
    used.set(slug, count + 1);
    anchors.set(id, count === 0 ? slug : `${slug}-${count}`);
  };
  for (const { module, names } of sections) {
    add(idOf(module), module.name);
    for (const each of names) add(idOf(each), headingOf(each));
  }
  return anchors;
}

function idOf(each: DeclarationReflection): string {
  return `${each.id}`;
}

function headingOf(each: DeclarationReflection): string {
  const word = KINDS.find(({ kind }) => each.kindOf(kind))?.word ?? 'value';
  return `${word} ${each.name}`;
}

function declaration(each: DeclarationReflection, anchors: Anchors): string[] {
  const parts = [`### ${headingOf(each)}`];
  for (const signature of each.signatures ?? []) {
    parts.push(`\`${call(signature)}\``, described(signature, anchors));
  }
  parts.push(prose(each.comment, anchors));
  if (each.type !== undefined) parts.push(...alias(each.type, anchors));
  const statics = members(each, true, anchors);
  const own = members(each, false, anchors);
  if (statics.length > 0) parts.push(table('static', statics));
  if (own.length > 0) parts.push(table('member', own));
  return parts;
}

/** What a type alias stands for; a union of objects gets a row for each. */
function alias(type: SomeType, anchors: Anchors): string[] {
  const summaries = type.type === 'union' ? type.elementSummaries : undefined;
  if (type.type === 'union' && (summaries !== undefined || type.types.some(isDocumentedLiteral))) {
    const elements = type.types.map((each, index) => [
      code(text(each)),
      joined([cell(display(summaries?.[index] ?? [], anchors)), ...properties(each, anchors)]),
    ]);
    const plain = elements.filter(([, what]) => what === '').map(([name]) => name);
    const told = elements.filter(([, what]) => what !== '');
    return [table('one of', plain.length === 0 ? told : [[plain.join(' '), ''], ...told])];
  }
  return [`\`${text(type)}\``, ...properties(type, anchors)];
}

function isDocumentedLiteral(type: SomeType): boolean {
  return type.type === 'reflection' && (type.declaration.children ?? []).some(({ comment }) => comment !== undefined);
}

/** The documented properties of an object type that has no name. */
function properties(type: SomeType, anchors: Anchors): string[] {
  const found: string[] = [];
  if (type.type === 'intersection' || type.type === 'union')
    return type.types.flatMap((each) => properties(each, anchors));
  if (type.type !== 'reflection') return found;
  for (const { name, comment } of type.declaration.children ?? []) {
    if (comment !== undefined) found.push(`\`${name}\`: ${cell(display(comment.summary, anchors))}`);
  }
  return found;
}

function members(each: DeclarationReflection, isStatic: boolean, anchors: Anchors): string[][] {
  const others = (isStatic ? [] : (each.indexSignatures ?? [])).map((index) => [
    code(`[${index.parameters?.[0].name}: ${text(index.parameters?.[0].type)}]: ${text(index.type)}`),
    cell(prose(index.comment, anchors)),
  ]);
  const named = (each.children ?? [])
    .filter((member) => member.flags.isStatic === isStatic && !isStandard(member))
    .flatMap((member) => rows(member, anchors));
  return [...named, ...others];
}

function rows(member: DeclarationReflection, anchors: Anchors): string[][] {
  const { signatures, getSignature, flags } = member;
  if (signatures !== undefined) {
    const optional = flags.isOptional ? '?' : '';
    return signatures.map((signature) => [code(call(signature, optional)), cell(described(signature, anchors))]);
  }
  const type = getSignature?.type ?? member.type;
  const name = `${flags.isProtected ? 'protected ' : ''}${member.name}${flags.isOptional ? '?' : ''}`;
  const comment = getSignature?.comment ?? member.comment;
  const details = type === undefined ? [] : properties(type, anchors);
  return [[code(`${name}: ${text(type)}`), joined([cell(prose(comment, anchors)), ...details])]];
}

function call(signature: SignatureReflection, optional = ''): string {
  const name = signature.name === 'constructor' ? `new ${signature.parent.parent?.name}` : signature.name;
  const types = (signature.typeParameters ?? []).map((each) => each.name).join(', ');
  const parameters = (signature.parameters ?? []).map((each) => {
    const mark = each.flags.isOptional || each.defaultValue !== undefined ? '?' : '';
    return `${each.flags.isRest ? '...' : ''}${each.name.replace(/^_/, '')}${mark}: ${text(each.type)}`;
  });
  const shown = `${name}${optional}${types === '' ? '' : `<${types}>`}(${parameters.join(', ')})`;
  return signature.kindOf(ReflectionKind.ConstructorSignature) ? shown : `${shown}: ${text(signature.type)}`;
}

/** What a docstring says of a call: itself, its parameters, what comes of it. */
function described(signature: SignatureReflection, anchors: Anchors): string {
  const parts = [display(signature.comment?.summary ?? [], anchors)];
  for (const { name, comment, type } of signature.parameters ?? []) {
    const shown = name.replace(/^_/, '');
    if (comment !== undefined) parts.push(`\`${shown}\`: ${display(comment.summary, anchors)}`);
    for (const [property, words] of Object.entries(highlighted(type))) {
      parts.push(`\`${shown}.${property}\`: ${display(words, anchors)}`);
    }
  }
  return joined([...parts, outcome(signature.comment, anchors)]);
}

/** What `@param options.name` says. */
function highlighted(type: SomeType | undefined): Record<string, CommentDisplayPart[]> {
  if (type === undefined) return {};
  if (type.type === 'intersection') return Object.assign({}, ...type.types.map(highlighted));
  if (type.type === 'reference') return Object.fromEntries(type.highlightedProperties ?? []);
  if (type.type !== 'reflection') return {};
  const documented = (type.declaration.children ?? []).filter(({ comment }) => comment !== undefined);
  return Object.fromEntries(documented.map(({ name, comment }) => [name, comment?.summary ?? []]));
}

function prose(comment: Comment | undefined, anchors: Anchors): string {
  return joined([display(comment?.summary ?? [], anchors), outcome(comment, anchors)]);
}

/** What comes of a call. */
function outcome(comment: Comment | undefined, anchors: Anchors): string {
  const words: Record<string, string> = { '@returns': 'Returns', '@throws': 'Throws' };
  const tags = comment?.blockTags ?? [];
  return joined(tags.map(({ tag, content }) => `*${words[tag] ?? tag.slice(1)}:* ${display(content, anchors)}`));
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

function display(parts: readonly CommentDisplayPart[], anchors: Anchors): string {
  const shown = parts.map((part) => {
    if (part.kind !== 'inline-tag') return part.text;
    const { target } = part;
    const anchor = typeof target === 'object' && 'id' in target ? anchors.get(`${target.id}`) : undefined;
    return anchor === undefined ? `\`${part.text}\`` : `[${part.text}](#${anchor})`;
  });
  return shown.join('').trim();
}

function text(type: SomeType | undefined): string {
  return (
    String(type)
      .replaceAll('"', "'")
      .replaceAll('<ArrayBufferLike>', '')
      .replaceAll('Client<unknown>', 'Client')
      // How typedoc writes what is called with new.
      .replace(/^\((.*)\) => object$/, 'new ($1) => object')
  );
}

function table(first: string, lines: readonly string[][]): string {
  return [`| ${first} | |`, '|---|---|', ...lines.map(([name, what]) => `| ${name} | ${what} |`)].join('\n');
}

function code(shown: string): string {
  return `\`${shown.replaceAll('|', '\\|')}\``;
}

function cell(shown: string): string {
  return shown.replaceAll(/\s*\n\s*/g, ' ').replaceAll(/(?<!\\)\|/g, '\\|');
}
