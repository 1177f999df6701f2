import type { Route, Routes } from '../connection/route.ts';

/** Which route is registered for which path. */
export class Router implements Routes {
  private readonly routes = new Map<string, Route>();

  /** @returns false if the path is taken. */
  add(route: Route): boolean {
    if (this.routes.has(route.path)) return false;
    this.routes.set(route.path, route);
    return true;
  }

  find(path: string): Route | undefined {
    return this.routes.get(path);
  }

  /** All routes, in the order of their registration. */
  all(): Route[] {
    return [...this.routes.values()];
  }
}
