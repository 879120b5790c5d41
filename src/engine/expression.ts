export {
  checkExpression,
  type ExpectedType,
  type ExpressionCheck,
} from './expression-check.ts';
export { evaluateExpression, expressionReferences } from './expression-evaluate.ts';
export { explainExpression } from './expression-explain.ts';
export type { ExpressionProblem } from './expression-lint.ts';
export { ExpressionError } from './expression-syntax.ts';
