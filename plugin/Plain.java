import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DirectMethodHandleDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.List;

/**
 * Writes out what compilers leave to the first run of each place: texts put together (StringConcatFactory), and records'
 * equals and hashCode (ObjectMethods). The JVM makes classes for those, which no class data archive keeps, in two to ten
 * milliseconds each; ten times that where it is emulated. Lambdas are archived, and stay as they are.
 */
final class Plain implements CodeTransform {
    private static final ClassDesc BUILDER = ClassDesc.of("java.lang.StringBuilder");
    private static final ClassDesc OBJECTS = ClassDesc.of("java.util.Objects");
    private static final char ARGUMENT = '\u0001';
    private static final char CONSTANT = '\u0002';

    @Override
    public void accept(CodeBuilder code, CodeElement element) {
        if (element instanceof InvokeDynamicInstruction call) {
            DirectMethodHandleDesc bootstrap = call.bootstrapMethod();
            switch (bootstrap.owner().displayName() + "." + call.name().stringValue()) {
                case "StringConcatFactory.makeConcatWithConstants" -> concatenate(code, call.typeSymbol(), call.bootstrapArgs());
                case "ObjectMethods.hashCode" -> hash(code, components(call), call.typeSymbol().parameterType(0));
                case "ObjectMethods.equals" -> compare(code, components(call), call.typeSymbol().parameterType(0));
                default -> code.with(element);
            }
        } else {
            code.with(element);
        }
    }

    private static List<DirectMethodHandleDesc> components(InvokeDynamicInstruction call) {
        return call.bootstrapArgs().stream().skip(2).map(DirectMethodHandleDesc.class::cast).toList();
    }

    /** The recipe says where the arguments, which are on the stack, and the constants go. */
    private static void concatenate(CodeBuilder code, MethodTypeDesc type, List<ConstantDesc> recipe) {
        int[] slots = new int[type.parameterCount()];
        for (int i = slots.length - 1; i >= 0; i--) {
            TypeKind kind = TypeKind.from(type.parameterType(i));
            slots[i] = code.allocateLocal(kind);
            code.storeLocal(kind, slots[i]);
        }
        code.new_(BUILDER).dup().invokespecial(BUILDER, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void);
        int argument = 0;
        int constant = 1;
        StringBuilder literal = new StringBuilder();
        for (char each : ((String) recipe.getFirst()).toCharArray()) {
            if (each != ARGUMENT && each != CONSTANT) {
                literal.append(each);
                continue;
            }
            append(code, literal);
            if (each == ARGUMENT) {
                ClassDesc kind = type.parameterType(argument);
                code.loadLocal(TypeKind.from(kind), slots[argument++]);
                append(code, kind);
            } else {
                code.loadConstant(recipe.get(constant++));
                append(code, ConstantDescs.CD_Object);
            }
        }
        append(code, literal);
        code.invokevirtual(BUILDER, "toString", MethodTypeDesc.of(ConstantDescs.CD_String));
    }

    private static void append(CodeBuilder code, StringBuilder literal) {
        if (!literal.isEmpty()) {
            code.loadConstant(literal.toString());
            append(code, ConstantDescs.CD_String);
            literal.setLength(0);
        }
    }

    private static void append(CodeBuilder code, ClassDesc kind) {
        ClassDesc taken = switch (kind.descriptorString()) {
            case "B", "S" -> ConstantDescs.CD_int;
            case "Z", "C", "I", "J", "F", "D", "Ljava/lang/String;" -> kind;
            default -> ConstantDescs.CD_Object;
        };
        code.invokevirtual(BUILDER, "append", MethodTypeDesc.of(BUILDER, taken));
    }

    private static void hash(CodeBuilder code, List<DirectMethodHandleDesc> components, ClassDesc owner) {
        int self = code.allocateLocal(TypeKind.REFERENCE);
        code.astore(self).iconst_0();
        for (DirectMethodHandleDesc component : components) {
            ClassDesc kind = get(code.bipush(31).imul(), self, component, owner);
            ClassDesc hasher = kind.isPrimitive() ? box(kind) : OBJECTS;
            ClassDesc taken = kind.isPrimitive() ? kind : ConstantDescs.CD_Object;
            code.invokestatic(hasher, "hashCode", MethodTypeDesc.of(ConstantDescs.CD_int, taken)).iadd();
        }
    }

    private static void compare(CodeBuilder code, List<DirectMethodHandleDesc> components, ClassDesc owner) {
        int other = code.allocateLocal(TypeKind.REFERENCE);
        int self = code.allocateLocal(TypeKind.REFERENCE);
        Label differ = code.newLabel();
        Label end = code.newLabel();
        code.astore(other).astore(self);
        code.aload(other).instanceOf(owner).ifeq(differ);
        code.aload(other).checkcast(owner).astore(other);
        for (DirectMethodHandleDesc component : components) {
            get(code, self, component, owner);
            ClassDesc kind = get(code, other, component, owner);
            if (kind.isPrimitive()) {
                // As the boxes compare: a NaN is equal to itself, and 0.0 is not -0.0.
                code.invokestatic(box(kind), "compare", MethodTypeDesc.of(ConstantDescs.CD_int, kind, kind)).ifne(differ);
            } else {
                code.invokestatic(OBJECTS, "equals",
                        MethodTypeDesc.of(ConstantDescs.CD_boolean, ConstantDescs.CD_Object, ConstantDescs.CD_Object)).ifeq(differ);
            }
        }
        code.iconst_1().goto_(end).labelBinding(differ).iconst_0().labelBinding(end);
    }

    private static ClassDesc get(CodeBuilder code, int local, DirectMethodHandleDesc component, ClassDesc owner) {
        ClassDesc kind = component.invocationType().returnType();
        code.aload(local).getfield(owner, component.methodName(), kind);
        return kind;
    }

    private static ClassDesc box(ClassDesc primitive) {
        return ClassDesc.of("java.lang." + switch (primitive.descriptorString()) {
            case "Z" -> "Boolean";
            case "B" -> "Byte";
            case "S" -> "Short";
            case "C" -> "Character";
            case "I" -> "Integer";
            case "J" -> "Long";
            case "F" -> "Float";
            default -> "Double";
        });
    }
}
