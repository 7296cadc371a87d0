// What the form knows of torch's own classes, to suggest names and to keep the arguments that suit
// a newly chosen one. It only helps with typing: the engine has the last word, with its own torch.

const OPTIMIZER_ARGS: { [name: string]: string } = {
  Adadelta: 'lr rho eps weight_decay',
  Adafactor: 'lr beta2_decay eps d weight_decay',
  Adagrad: 'lr lr_decay weight_decay initial_accumulator_value eps fused',
  Adam: 'lr betas eps weight_decay amsgrad fused decoupled_weight_decay',
  AdamW: 'lr betas eps weight_decay amsgrad fused',
  Adamax: 'lr betas eps weight_decay',
  ASGD: 'lr lambd alpha t0 weight_decay',
  Muon: 'lr weight_decay momentum nesterov ns_coefficients eps ns_steps adjust_lr_fn',
  NAdam: 'lr betas eps weight_decay momentum_decay decoupled_weight_decay',
  RAdam: 'lr betas eps weight_decay decoupled_weight_decay',
  RMSprop: 'lr alpha eps weight_decay momentum centered',
  Rprop: 'lr etas step_sizes',
  SGD: 'lr momentum dampening weight_decay nesterov fused',
  SparseAdam: 'lr betas eps'
};

const COMMON_ARGS = 'maximize foreach capturable differentiable';

/** Arguments of schedulers; those that a scheduler cannot do without end in "!". */
const SCHEDULER_ARGS: { [name: string]: string } = {
  ConstantLR: 'factor total_iters',
  CosineAnnealingLR: 'T_max! eta_min',
  CosineAnnealingWarmRestarts: 'T_0! T_mult eta_min',
  CyclicLR:
    'base_lr! max_lr! step_size_up step_size_down mode gamma scale_mode cycle_momentum base_momentum max_momentum',
  ExponentialLR: 'gamma!',
  LinearLR: 'start_factor end_factor total_iters',
  MultiStepLR: 'milestones! gamma',
  OneCycleLR:
    'max_lr! total_steps epochs steps_per_epoch pct_start anneal_strategy cycle_momentum base_momentum max_momentum div_factor final_div_factor three_phase',
  PolynomialLR: 'total_iters power',
  ReduceLROnPlateau:
    'mode factor patience threshold threshold_mode cooldown min_lr eps',
  StepLR: 'step_size! gamma'
};

const WHOLE_ARGS = [
  'T_0',
  'T_max',
  'T_mult',
  'cooldown',
  'epochs',
  'last_epoch',
  'ns_steps',
  'patience',
  'step_size',
  'step_size_down',
  'step_size_up',
  'steps_per_epoch',
  'total_iters',
  'total_steps'
];

/** The two parts of a config that name a class of torch. */
export type TorchPart = 'optimizer' | 'lr_scheduler';

const TABLES = { optimizer: OPTIMIZER_ARGS, lr_scheduler: SCHEDULER_ARGS };

export function torchNames(part: TorchPart): string[] {
  return Object.keys(TABLES[part]);
}

/**
 * Whether a class may take an argument: certainly so, or it is not known here.
 */
export function takesArgument(
  part: TorchPart,
  name: string,
  argument: string
): boolean {
  const known = words(TABLES[part][name]);
  const common = part === 'optimizer' ? words(COMMON_ARGS) : ['last_epoch'];
  return (
    !known.length ||
    [...known.map(word => word.replace('!', '')), ...common].includes(argument)
  );
}

/**
 * The arguments without which a scheduler cannot be built.
 */
export function requiredArguments(part: TorchPart, name: string): string[] {
  return words(TABLES[part][name])
    .filter(word => word.endsWith('!'))
    .map(word => word.slice(0, -1));
}

/** Whether an argument of torch's classes counts something. */
export function isWholeArgument(argument: string): boolean {
  return WHOLE_ARGS.includes(argument);
}

function words(text: string | undefined): string[] {
  return text ? text.split(' ') : [];
}
