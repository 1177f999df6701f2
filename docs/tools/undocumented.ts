import { type DeclarationReflection, type ProjectReflection, ReflectionKind } from 'typedoc';

/**
 * The public names of a module that have no docstring: what it exports, and the members of that. An object type without a name
 * is described by what has it.
 * @returns names with their module in front: `websock.Client.send`.
 */
export function undocumented(module: DeclarationReflection): string[] {
  return below(module, module.name);
}

function below(parent: DeclarationReflection, path: string): string[] {
  return (parent.children ?? []).flatMap((each) => {
    const name = `${path}.${each.name}`;
    return [...(isDocumented(each) ? [] : [name]), ...below(each, name)];
  });
}

function isDocumented(each: DeclarationReflection): boolean {
  const signatures = [...(each.signatures ?? [])];
  if (each.getSignature !== undefined) signatures.push(each.getSignature);
  if (signatures.length > 0) return signatures.every(({ comment }) => comment !== undefined);
  return each.comment !== undefined || isStandard(each);
}

/** The `name` of an error: the standard says what it is. */
export function isStandard(member: DeclarationReflection): boolean {
  return member.overwrites?.name.startsWith('Error.') ?? false;
}

/**
 * Takes out of classes what is there for the daemon alone: constructors without a docstring, for what they make is handed out; and
 * the methods that interfaces ask for which nobody is to import.
 * @param interfaces their names.
 */
export function dropPrivate(project: ProjectReflection, interfaces: readonly string[]): void {
  const all = Object.values(project.reflections);
  for (const member of all.filter((each) => each.isDeclaration())) {
    const signatures = member.signatures ?? [];
    const isMade = member.kindOf(ReflectionKind.Constructor) && member.parent?.kindOf(ReflectionKind.Class) === true;
    const isSilent = isMade && signatures.every(({ comment }) => comment === undefined);
    const isAsked = signatures.some(({ implementationOf }) =>
      interfaces.includes(`${implementationOf?.name.split('.')[0]}`),
    );
    if (isSilent || isAsked) project.removeReflection(member);
  }
}
